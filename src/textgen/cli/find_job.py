"""Finds the job that a command works on: by its path, by its name below job/, or the newest."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from textgen.cli.typed import typed
from textgen.config import JobsCommand
from textgen.console import Console
from textgen.errors import MissingError
from textgen.formatting import nearest
from textgen.jobs import JobDirectory, JobFacts, list_jobs
from textgen.storage import bundled, is_bucket

BASE = "base"
"""The name of the base model."""

_JOBS = Path(JobsCommand.directory)


def base_path() -> Path:
    """Returns the file of the base model, which comes with textgen."""
    return bundled("data/base.safetensors")


def find_job(given: str | None, *, with_model: bool, or_base: bool = False, advice: str = "") -> str:
    """Finds the job that an argument names.

    Args:
        given: a path, a URI that begins with `gs://`, or the name of a job below `job/`; an existing path wins over a
            name. None for the newest job below `job/`, which is printed on standard error.
        with_model: whether to look for the newest job only among those with a model file.
        or_base: whether to return the base model for `base` if nothing else has that name, and for None if there is no job below `job/`.
        advice: the end of the message if there is no such job.

    Returns:
        The path or URI; it need not be a job.

    Raises:
        MissingError: if there is neither such a path nor such a job, or no job at all.
    """
    if given is None:
        return _find_newest(with_model=with_model, or_base=or_base)
    if is_bucket(given) or os.path.lexists(given):
        return given
    named = _JOBS / given
    if os.path.lexists(named):
        return str(named)
    if or_base and given == BASE:
        return str(base_path())
    is_path = Path(given).is_absolute() or Path(given).is_relative_to(_JOBS)
    absent = f"there is no {given}" if is_path else f"there is neither {given} nor {named}"
    suggestion = nearest(given.removeprefix(f"{_JOBS}/").rstrip("/"), _names_of_jobs())
    raise MissingError(f"{absent}{suggestion}; {typed('textgen')} jobs lists all jobs{advice}")


def how_to_start() -> str:
    """Returns advice for a user without a job: the command that starts one."""
    return f"{typed('textgen-train')} my-book.txt starts one"


def jobs_below(directory: Path) -> list[JobFacts]:
    """Lists the jobs in and below a directory, the newest first; none if it is `job/`, the default, and does not exist yet.

    Raises:
        TextgenError: as `list_jobs`.
    """
    return [] if directory == _JOBS and not os.path.lexists(directory) else list_jobs(directory)


def _names_of_jobs() -> list[str]:
    """Returns the names directly below `job/`; none if it cannot be read."""
    with contextlib.suppress(OSError):
        return sorted(os.listdir(_JOBS))  # noqa: PTH208 - only names are compared
    return []


def _find_newest(*, with_model: bool, or_base: bool) -> str:
    jobs = jobs_below(_JOBS)
    if not jobs and or_base:
        Console().say(
            f"There is no job yet, so this uses the base model of English prose; {typed('textgen-train')} my-book.txt trains a model of your text"
        )
        return str(base_path())
    if not jobs:
        raise MissingError(f"there is no job below {_JOBS} in this folder; {how_to_start()}")
    for job in jobs:
        if not with_model or JobDirectory(Path(job.job_dir)).model.exists():
            Console().say(f"Using the newest job, {job.job_dir}")
            return job.job_dir
    raise MissingError(f"no job below {_JOBS} has a model yet; {typed('textgen')} jobs shows their progress")
