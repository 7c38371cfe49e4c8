"""Finds the job that a command works on, with the words of the command line: the named one, or the newest."""

from __future__ import annotations

from textgen.cli.typed import typed
from textgen.console import Console
from textgen.jobs import JobDirectory
from textgen.runs.find_job import find_job, find_newest_job, look_at_job
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
        return find_job(given, f"{_how_to_list()}{advice}")
    to_follow = f"{typed('textgen')} jobs shows their progress"
    place = find_newest_job(with_model=with_model, or_base=or_base, to_start=how_to_start(), to_follow=to_follow)
    if place == str(base_path()):
        Console().say(
            f"There is no job yet, so this uses the base model of English prose; {typed('textgen-train')} my-book.txt trains a model of your text"
        )
    else:
        Console().say(f"Using the newest job, {place}")
    return place


def look_at_named(place: str) -> JobDirectory:
    """Returns a job as it is now, for a command that reads its small files.

    Args:
        place: the path or URI that `named_job` has found.

    Raises:
        TextgenError: as `look_at_job`.
    """
    return look_at_job("JOB", place, for_file="name the directory of its job", advice=_how_to_list())


def how_to_start() -> str:
    """Returns advice for a user without a job: the command that starts one."""
    return f"{typed('textgen-train')} my-book.txt starts one"


def _how_to_list() -> str:
    return f"{typed('textgen')} jobs lists all jobs"
