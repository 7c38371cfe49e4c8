"""Training from Python: the same run as that of `textgen-train`, with settings as keywords."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from textgen.config import Setting, TrainCommand, TrainingConfig, settings
from textgen.config.values import convert, find_setting, plain
from textgen.console import Console
from textgen.errors import CancelledError, UsageError
from textgen.formatting import shown
from textgen.runs.job import Job
from textgen.runs.request import read_request
from textgen.runs.run import run
from textgen.signals import Signals
from textgen.storage import is_bucket

if TYPE_CHECKING:
    from keras.callbacks import Callback

    Text = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_OF_THE_COMMAND = {"texts", "dry_run", "json", "workers"}
"""The settings that are no keywords: the texts are the first argument, and the others are about the output or the processes of the
command."""

_LONGEST_NAME = 255
"""The longest name of a file on every usual system; a longer one is probably the text itself."""


def train(text: Text | None = None, *, verbose: int = 0, callbacks: Iterable[Callback] = (), **values: Any) -> Job:
    """Trains a model on a text, or resumes the job of the same arguments.

    Ctrl-C and SIGTERM end training after the step in progress, which is saved, and the same call resumes it. In a thread other
    than the main one, signals are left to the main thread.

    Args:
        text: a text file, a folder or a glob, or several; paths or URIs that begin with `gs://`. None for the corpus in
            `data_dir`, or else the bundled story.
        verbose: 1 prints the plan and the progress on standard error; 0 prints nothing.
        callbacks: Keras callbacks. They are called after textgen's own, and one Keras epoch is the whole run.
        **values: any setting of `TrainingConfig`, such as `minutes=5`, and of this run: `config`, `fresh`,
            `allow_changed_data`, `device` and `devices`. docs/configuration.md lists them.

    Returns:
        The trained job.

    Raises:
        UsageError: if a setting does not exist, or its value is invalid.
        LockedError: if the job is being trained already.
        StoppedError: after SIGTERM.
        KeyboardInterrupt: after Ctrl-C.
        TextgenError: if the run is not possible, or fails.

    Example:
        >>> job = train("book.txt", minutes=5)
        >>> print("".join(job.generate("The captain", length=400)))
    """
    if not isinstance(verbose, int) or verbose not in {0, 1}:
        raise UsageError(f"verbose must be 0 or 1, got {shown(verbose)}")
    called = _read_callbacks(callbacks)
    request = read_request({**_read_text(text), **_read_settings(values)})
    try:
        with _without_retracing_warnings(), Signals(ends_process=False) as signals:
            signals.advice = "call train again to resume"
            trained = run(request, signals=signals, console=_PythonConsole(verbose), callbacks=called)
    except CancelledError as error:
        raise KeyboardInterrupt(str(error)) from None
    assert trained is not None  # noqa: S101 - only a dry run gives None
    return Job(trained.job, trained.figures)


class _PythonConsole(Console):
    """Names settings as Python callers do."""

    dashes = ""

    def __init__(self, verbose: int) -> None:
        self.is_silent = not verbose


@contextlib.contextmanager
def _without_retracing_warnings() -> Iterator[None]:
    """Hides that TensorFlow compiles each model of a process, which it takes for a mistake after a few of them."""
    logger = logging.getLogger("tensorflow")

    def is_other(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _keywords() -> list[Setting]:
    """Returns the settings that are keywords of `train`."""
    declared = (*settings(TrainingConfig), *settings(TrainCommand))
    return [setting for setting in declared if setting.name not in _OF_THE_COMMAND]


def _read_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Converts the values of settings.

    Raises:
        UsageError: if there is no such setting, or a value has the wrong type.
    """
    known = _keywords()
    found = (find_setting(name, known, others=("text",), listed_by="help(textgen.train)") for name in values)
    return {setting.name: convert(setting, plain(values[setting.name])) for setting in found}


def _read_text(text: Text | None) -> dict[str, Any]:
    """Returns the setting that names the text; empty if none is given.

    Raises:
        UsageError: if it is neither a path nor several.
    """
    if text is None:
        return {}
    several = [text] if isinstance(text, str | os.PathLike) else text
    if not isinstance(several, Iterable) or isinstance(several, bytes | Mapping):
        raise UsageError(f"text must be a path or a list of paths, got {shown(text)}")
    paths = [plain(path) for path in several]
    if not paths:
        raise UsageError("text must name at least one file, got none")
    for path in paths:
        if not isinstance(path, str):
            raise UsageError(f"text must be a path or a list of paths, got {shown(path)}")
        _check_path(path)
    return {"texts": tuple(paths)}


def _check_path(path: str) -> None:
    """Refuses a text where its path is expected."""
    if not path:
        raise UsageError("text must not be empty; give the path of a file")
    if "\0" not in path and (is_bucket(path) or os.path.lexists(path)):
        return
    if not {"\0", "\n"}.isdisjoint(path) or max(map(len, path.split("/"))) > _LONGEST_NAME:
        raise UsageError(f"text must be the path of a file, got the text {shown(path)}; save it to a file first")


def _read_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """Returns the callbacks, or refuses what cannot be a list of them, without loading Keras."""
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else (None,)
    if any(isinstance(each, type) or not hasattr(each, "on_train_batch_end") for each in found):
        raise UsageError(f"callbacks must be a list of Keras callbacks, got {shown(callbacks)}")
    return found


def _signature(function: Callable[..., Job]) -> inspect.Signature:
    """Returns the signature with the name and the default of each keyword, for `help` and for editors."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=setting.default)
        for setting in _keywords()
    ]
    return signature.replace(parameters=[*own, *keywords])


train.__signature__ = _signature(train)  # type: ignore[attr-defined]
