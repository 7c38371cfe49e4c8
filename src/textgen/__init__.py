"""textgen trains an LSTM on your own text and lets it write.

The packages, in the order in which the data passes through them:

- `storage`: local files, and the files that travel with the package
- `corpus`: files -> text -> tokens -> vocabulary
- `dataset`: text -> TextVectorization -> ids -> streams -> `tf.data` windows
- `model`: configuration -> functional `keras.Model`
- `training`: the fit loop, its callbacks, validation, checkpoints
- `jobs`: the job directory that a run leaves
- `generation`: the model file, the NumPy step, samplers; needs no TensorFlow
- `evaluation`: sums of nats -> loss, perplexity, bits per character
- `planning`: the plan of a run, arithmetic only
- `config`, `console`, `errors`: settings, the terminal, failures
- `cli`: one thin file a command

Importing this package imports nothing heavy.
"""

from textgen.version import __version__

__all__ = ["__version__"]
