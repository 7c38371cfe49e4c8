"""The fit loop: the controller and its callbacks, validation, checkpoints, export.

Everything that needs a Keras model and files at once. Importing this package loads TensorFlow only when `train` is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textgen.training.fitting import train
    from textgen.training.following import follow

__all__ = ["follow", "train"]


def __getattr__(name: str) -> Any:
    """Imports `train` and `follow` on first use."""
    if name == "train":
        from textgen.training.fitting import train

        return train
    if name == "follow":
        from textgen.training.following import follow

        return follow
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
