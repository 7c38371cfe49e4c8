"""Tells models from texts among the arguments of `textgen eval` and `textgen score`."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from textgen.cli.prompt_text import STANDARD_INPUT
from textgen.cli.typed import typed
from textgen.corpus.folder import ENDINGS, files_below, has_job_layout
from textgen.errors import UsageError
from textgen.jobs import JobDirectory
from textgen.runs.find_job import find_job
from textgen.storage import is_bucket


def sort_arguments(arguments: Sequence[str], advice: str = "name a job or a file") -> tuple[list[str], list[str]]:
    """Tells models from texts, by the rule in `--help`.

    Args:
        arguments: the arguments.
        advice: what to do about an argument that is neither.

    Returns:
        The paths and URIs of the models, and the texts, each as it was given.

    Raises:
        MissingError: if an argument is neither.
        UsageError: if standard input is given twice.
    """
    models: list[str] = []
    texts: list[str] = []
    advice = f"{advice}; {typed('textgen')} jobs lists all jobs"
    for given in arguments:
        if _is_text(given):
            texts.append(given)
        else:
            models.append(find_job(given, advice))
    if texts.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read once, got - twice; leave one out")
    return models, texts


def _is_text(given: str) -> bool:
    if given == STANDARD_INPUT:
        return True
    if is_bucket(given):
        return given.endswith(ENDINGS)
    if os.path.lexists(given):
        path = Path(given)
        return _is_folder_of_texts(path) if path.is_dir() else path.suffix != JobDirectory(Path()).model.suffix
    return len(given.split()) > 1 or given.endswith(ENDINGS) or bool(glob.glob(given))  # noqa: PTH207 - Path.glob takes no absolute pattern


def _is_folder_of_texts(path: Path) -> bool:
    """Returns whether a directory contains texts, and is not a job, whose samples are texts too."""
    try:
        is_job = JobDirectory(path).model.exists() or has_job_layout(path)
        return not is_job and any(name.endswith(ENDINGS) for name in files_below(path))
    except OSError:  # explained when it is opened as a job
        return False
