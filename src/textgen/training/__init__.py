"""The fit loop: callbacks, validation, checkpoints, export. Everything that needs a Keras model and files at once."""

from textgen.training.run import train

__all__ = ["train"]
