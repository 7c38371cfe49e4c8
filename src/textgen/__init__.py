"""textgen trains an LSTM on your own text and lets it write.

    >>> import textgen
    >>> writer = textgen.load("job/story-384-states-1-layers-384-embed")
    >>> print("".join(writer.generate("The captain", length=400)))

The packages, in the order in which the data passes through them:

- `storage`: local files, files in buckets, and the files that travel with the package
- `corpus`: files -> text -> tokens -> vocabulary
- `dataset`: text -> TextVectorization -> ids -> streams -> `tf.data` windows
- `model`: configuration -> functional `keras.Model`
- `training`: the fit loop, its callbacks, validation, checkpoints
- `jobs`: the job directory that a run leaves
- `generation`: the model file, the NumPy step, samplers; needs no TensorFlow
- `evaluation`: sums of nats -> loss, perplexity, bits per character; how much of a text is copied
- `portable`: the model file -> files for other runtimes
- `planning`: the plan of a run, arithmetic only
- `config`, `console`, `signals`, `errors`: settings, the terminal, Ctrl-C and SIGTERM, failures
- `cli`: one thin file a command

Importing this package imports nothing heavy.
"""

from __future__ import annotations

from textgen.version import __version__

TYPE_CHECKING = False  # that of `typing`, whose import takes longer than all the rest of a command's first moment
if TYPE_CHECKING:
    from pathlib import Path

    from textgen.generation import TextGenerator

__all__ = ["__version__", "load"]


def load(path: str | Path) -> TextGenerator:
    """Opens a trained model to write text with; loads NumPy, and never TensorFlow.

    Args:
        path: a job directory, or the model file in it; a string that begins with `gs://` names one in a bucket.

    Returns:
        The generator; see `TextGenerator.generate`.

    Raises:
        TextgenError: when there is no model, or it cannot be used.
    """
    from textgen.generation import load as open_model

    return open_model(path)
