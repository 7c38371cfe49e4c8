"""Finds the job that a command works on: the named one, or the newest."""

from __future__ import annotations

from pathlib import Path

from textgen.cli.typed import typed
from textgen.config import JobsCommand
from textgen.console import Console
from textgen.errors import MissingError
from textgen.runs.find_job import find_job, has_model, jobs_below
from textgen.storage import base_path


def named_job(given: str | None, *, with_model: bool, or_base: bool = False, advice: str = "") -> str:
    """Finds the job that an argument names.

    Args:
        given: the argument; see `find_job`. None for the newest job below `job/`, which is printed on standard error.
        with_model: whether to look for the newest job only among those with a model file.
        or_base: whether to return the base model for None if there is no job below `job/`.
        advice: the end of the message if there is no such job.

    Returns:
        The path or URI; it need not be a job.

    Raises:
        MissingError: if there is neither such a path nor such a job, or no job at all.
    """
    if given is not None:
        return find_job(given, f"{typed('textgen')} jobs lists all jobs{advice}")
    directory = JobsCommand.directory
    jobs = jobs_below(Path(directory))
    if not jobs and or_base:
        Console().say(
            f"There is no job yet, so this uses the base model of English prose; {typed('textgen-train')} my-book.txt trains a model of your text"
        )
        return str(base_path())
    if not jobs:
        raise MissingError(f"there is no job below {directory} in this folder; {how_to_start()}")
    job = next((job for job in jobs if not with_model or has_model(job)), None)
    if job is None:
        raise MissingError(f"no job below {directory} has a model yet; {typed('textgen')} jobs shows their progress")
    Console().say(f"Using the newest job, {job.job_dir}")
    return job.job_dir


def how_to_start() -> str:
    """Returns advice for a user without a job: the command that starts one."""
    return f"{typed('textgen-train')} my-book.txt starts one"
