"""textgen trains an LSTM on your own text and generates text with it.

    >>> import textgen
    >>> writer = textgen.load("job/story-384-states-1-layers-384-embed")
    >>> print("".join(writer.generate("The captain", length=400)))

The packages, in the order in which the data passes through them:

- `storage`: local files, files in buckets, and the files bundled with the package
- `corpus`: files -> text -> tokens -> vocabulary
- `dataset`: text -> TextVectorization -> ids -> streams -> `tf.data` windows
- `model`: config -> functional `keras.Model`
- `training`: the fit loop, its callbacks, validation, checkpoints
- `jobs`: the job directory, with its lock, checkpoints and state
- `generation`: the model file, the NumPy step, samplers; needs no TensorFlow
- `evaluation`: sums of nats -> loss, perplexity, bits per character; how much of a text is copied; an n-gram as a baseline
- `portable`: the model file -> files for other runtimes
- `planning`: the size, limits, model and dropout of a run; arithmetic only
- `config`, `console`, `signals`, `errors`: settings, the terminal, Ctrl-C and SIGTERM, failures
- `cli`: the commands, one thin file per command

Importing this package loads neither NumPy nor TensorFlow.
"""

from __future__ import annotations

from textgen.version import __version__

TYPE_CHECKING = False  # not imported from `typing`, which would take longer than everything else here
if TYPE_CHECKING:
    from pathlib import Path

    from textgen.generation import TextGenerator

__all__ = ["__version__", "load"]


def load(path: str | Path) -> TextGenerator:
    """Opens a trained model to generate text with; loads NumPy, but not TensorFlow.

    Args:
        path: a job directory or a model file. A string that begins with `gs://` names one in a bucket.

    Returns:
        The generator; see `TextGenerator.generate`.

    Raises:
        TextgenError: if there is no model, or it cannot be used.
    """
    from textgen.generation import load as open_model

    return open_model(path)
