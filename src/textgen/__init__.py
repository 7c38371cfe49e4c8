"""textgen trains an LSTM on your own text and generates text with it.

    >>> import textgen
    >>> job = textgen.train("book.txt", minutes=5)
    >>> print("".join(job.generate("The captain", length=400)))

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
- `runs`: what a run decides before TensorFlow is loaded; training from Python
- `cloud`: jobs on Vertex AI
- `config`, `console`, `signals`, `errors`, `formatting`, `machine`: settings, the terminal, Ctrl-C and SIGTERM, failures, values in
  messages, cores
- `cli`: the commands, which parse, call and print

Importing this package loads neither NumPy nor TensorFlow: each name below is imported when it is first used.
"""

from __future__ import annotations

from textgen.version import __version__

TYPE_CHECKING = False  # not imported from `typing`, which would take longer than everything else here
if TYPE_CHECKING:
    from textgen.errors import (
        AccessError,
        DataError,
        DivergedError,
        FormatError,
        InputOutputError,
        LockedError,
        MissingError,
        StoppedError,
        TextgenError,
        UnavailableError,
        UsageError,
    )
    from textgen.generation import TextGenerator
    from textgen.runs.job import Job, list_jobs, load
    from textgen.runs.job import open_job as open  # noqa: A004 - read as textgen.open, like gzip.open
    from textgen.runs.train import train

__all__ = [
    "AccessError",
    "DataError",
    "DivergedError",
    "FormatError",
    "InputOutputError",
    "Job",
    "LockedError",
    "MissingError",
    "StoppedError",
    "TextGenerator",
    "TextgenError",
    "UnavailableError",
    "UsageError",
    "__version__",
    "list_jobs",
    "load",
    "open",
    "train",
]

_MODULES = {
    "Job": "runs.job",
    "TextGenerator": "generation",
    "list_jobs": "runs.job",
    "load": "runs.job",
    "open": "runs.job",
    "train": "runs.train",
}
"""Where the names are, except those of the exceptions, which are in `errors`."""

if not TYPE_CHECKING:  # type checkers would otherwise believe in any name

    def __getattr__(name: str) -> object:
        """Imports a name when it is first used (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
        found = globals()[name] = getattr(module, {"open": "open_job"}.get(name, name))
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
