"""Finds jobs and models by their names."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from textgen.config import JobsCommand
from textgen.errors import MissingError
from textgen.formatting import nearest
from textgen.jobs import JobDirectory, JobFacts, list_jobs
from textgen.storage import base_path, is_bucket

BASE = "base"
"""The name of the base model."""

_JOBS = Path(JobsCommand.directory)


def find_job(given: str, advice: str = "textgen jobs lists all jobs") -> str:
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


def jobs_below(directory: Path) -> list[JobFacts]:
    """Lists the jobs in and below a directory, the newest first; none if it is `job/`, the default, and does not exist yet.

    Raises:
        TextgenError: as `list_jobs`.
    """
    return [] if directory == _JOBS and not os.path.lexists(directory) else list_jobs(directory)


def has_model(job: JobFacts) -> bool:
    """Returns whether a job on this machine has a model file."""
    return JobDirectory(Path(job.job_dir)).model.exists()


def _names_of_jobs() -> list[str]:
    """Returns the names directly below `job/`; none if it cannot be read."""
    with contextlib.suppress(OSError):
        return sorted(os.listdir(_JOBS))  # noqa: PTH208 - only names are compared
    return []
