"""Finds jobs and models by their names, or the newest job, and opens jobs for reading."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from textgen.config import JobsCommand
from textgen.errors import MissingError, UsageError
from textgen.formatting import nearest
from textgen.jobs import JobDirectory, JobFacts, job_place, list_jobs
from textgen.storage import BASE, base_path, is_bucket

_JOBS = Path(JobsCommand.directory)


def find_job(given: str, advice: str) -> str:
    """Finds the job or the model that an argument names.

    Args:
        given: a path, a URI that begins with `gs://`, the name of a job below `job/`, or `base`. A path wins over a name, and a
            job over the base model.
        advice: the end of the message if there is no such job.

    Returns:
        The path or URI; it need not be a job.

    Raises:
        MissingError: if there is neither such a path nor such a job.
    """
    if is_bucket(given) or os.path.lexists(given):
        return given
    named = _JOBS / given
    if os.path.lexists(named):
        return str(named)
    if given == BASE:
        return str(base_path())
    is_path = Path(given).is_absolute() or Path(given).is_relative_to(_JOBS)
    absent = f"there is no {given}" if is_path else f"there is neither {given} nor {named}"
    suggestion = nearest(given.removeprefix(f"{_JOBS}/").rstrip("/"), _names_of_jobs())
    raise MissingError(f"{absent}{suggestion}; {advice}")


def find_newest_job(*, with_model: bool, or_base: bool, to_start: str, to_follow: str) -> str:
    """Finds the newest job below `job/`.

    Args:
        with_model: whether the job must have a model file.
        or_base: whether to return the base model if there is no job.
        to_start: the end of the message if there is no job.
        to_follow: the end of the message if no job has a model yet.

    Returns:
        The path of the job, or that of the base model.

    Raises:
        MissingError: if there is no such job.
        TextgenError: as `list_jobs`.
    """
    jobs = jobs_below(_JOBS)
    if not jobs and or_base:
        return str(base_path())
    if not jobs:
        raise MissingError(f"there is no job below {_JOBS} in this folder; {to_start}")
    newest = next((job for job in jobs if not with_model or _has_model(job)), None)
    if newest is None:
        raise MissingError(f"no job below {_JOBS} has a model yet; {to_follow}")
    return newest.job_dir


def look_at_job(label: str, place: str, *, for_file: str, advice: str) -> JobDirectory:
    """Returns a job as it is now, for reading its small files.

    Args:
        label: the name of the argument, for error messages.
        place: the path or URI of the job; see `find_job`.
        for_file: the end of the message if it is a file.
        advice: the end of the message if it is not a job.

    Raises:
        UsageError: if it is a file.
        MissingError: if it is not a job.
        TextgenError: if it cannot be read.
    """
    if not is_bucket(place) and Path(place).is_file():
        raise UsageError(f"{label} must be the directory of a job, got {place}, which is a file; {for_file}")
    job = job_place(place).look()
    if not job.exists:
        raise MissingError(f"{place} is not a job: it has no {job.config.name}; {advice}")
    return job


def jobs_below(directory: Path) -> list[JobFacts]:
    """Lists the jobs in and below a directory, the newest first; none if it is `job/`, the default, and does not exist yet.

    Raises:
        TextgenError: as `list_jobs`.
    """
    return [] if directory == _JOBS and not os.path.lexists(directory) else list_jobs(directory)


def _has_model(job: JobFacts) -> bool:
    return JobDirectory(Path(job.job_dir)).model.exists()


def _names_of_jobs() -> list[str]:
    """Returns the names directly below `job/`; none if it cannot be read."""
    with contextlib.suppress(OSError):
        return sorted(os.listdir(_JOBS))  # noqa: PTH208 - only names are compared
    return []
