"""Finds the texts in a folder, local or in a bucket, by the names of the files alone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from textgen.console import visible
from textgen.errors import MissingError, UsageError, named
from textgen.jobs import is_job_directory
from textgen.storage import below, is_bucket

ENDINGS = (".txt", ".txt.gz")
"""The endings of the files that are read in a folder."""

PROJECTOR_FILES = ("projector_vectors.tsv", "projector_tokens.tsv", "projector_config.pbtxt")
"""The names of the files that training writes for TensorBoard's projector, in this order."""


@dataclass(frozen=True)
class Skipped:
    """The files and jobs that were found next to the texts and not read.

    Attributes:
        files: files that are not texts or are hidden; a hidden folder counts as one file.
        jobs: job directories.
    """

    files: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    def __add__(self, other: Skipped) -> Skipped:
        """Returns the files and jobs of both, each once."""
        return Skipped(tuple(dict.fromkeys(self.files + other.files)), tuple(dict.fromkeys(self.jobs + other.jobs)))

    def __str__(self) -> str:
        """Returns the counts, each with an example, on one line; empty if nothing was skipped."""
        kinds = ((self.files, "other file", "other files"), (self.jobs, "job directory", "job directories"))
        return " and ".join(_count(names, one, several) for names, one, several in kinds if names)


def choose_texts(folder: str, names: Collection[str], own_job: str | None) -> tuple[list[str], Skipped]:
    """Chooses the files to read in a folder.

    Args:
        folder: the path or URI of the folder, for messages.
        names: the paths of the files below the folder, relative to it, with `/` between their parts. A hidden folder may be
            listed as one file.
        own_job: the directory of the job that learns from this text, relative to the folder, or `.` for the folder itself;
            None if it is not in the folder.

    Returns:
        The names of the texts, sorted, and what was skipped.

    Raises:
        UsageError: if the folder itself is a job directory, or will be one.
        MissingError: if it contains no text.
    """
    jobs = find_jobs(folder, names, own_job)
    texts, others = [], set()
    for name in names:
        if _is_below(name, jobs):
            continue
        if _is_text(name):
            texts.append(name)
        else:
            others.add(_hidden_part(name) or name)
    if not texts:
        beside = f" except in job directories such as {_shown(folder, jobs[0])}, which are not read" if jobs else ""
        raise MissingError(
            f"the folder {folder} contains no *.txt or *.txt.gz file{beside}: name another folder, "
            "save its documents as plain text (.txt), or name the files"
        )
    # Hidden files come last, because any other is the better example.
    skipped = sorted(others, key=lambda name: (_hidden_part(name) is not None, name))
    return sorted(texts, key=PurePosixPath), Skipped(
        tuple(_shown(folder, name) for name in skipped), tuple(_shown(folder, job) for job in jobs)
    )


def find_outputs(folder: str, names: Collection[str], own_job: str | None) -> Skipped | None:
    """Finds what runs wrote into a folder that has no other text.

    Args:
        folder: as for `choose_texts`; not a job directory, unless it is `own_job`.
        names: as for `choose_texts`.
        own_job: as for `choose_texts`.

    Returns:
        The job directories and TensorBoard logs; None if there are none, or there is a text outside of them.
    """
    jobs = find_jobs(folder, names, None if own_job == "." else own_job)
    others = [name for name in names if not _is_below(name, jobs)]
    if any(map(_is_text, others)):
        return None
    if own_job == ".":
        return Skipped(jobs=(visible(folder),))
    logs = sorted(filter(is_log, others))
    if not logs and not jobs:
        return None
    return Skipped(tuple(_shown(folder, name) for name in logs), tuple(_shown(folder, job) for job in jobs))


def is_log(name: str) -> bool:
    """Returns whether a file is one of TensorBoard's, by its name or path."""
    last = PurePosixPath(name).name
    return last.startswith("events.out.tfevents.") or last in PROJECTOR_FILES


def find_jobs(folder: str, names: Iterable[str], own_job: str | None) -> list[str]:
    """Finds the job directories below a folder.

    Args:
        folder: as in `choose_texts`.
        names: as in `choose_texts`.
        own_job: as in `choose_texts`. It counts as a job directory even before a trainer has written there.

    Returns:
        Their names, sorted, without job directories inside others.

    Raises:
        UsageError: as in `choose_texts`.
    """
    entries: dict[str, set[str]] = defaultdict(set)
    for name in names:
        path = PurePosixPath(name)
        for entry in (path, *path.parents[:-1]):
            entries[str(entry.parent)].add(entry.name)
    jobs: list[str] = []
    for directory in sorted(entries):
        if directory == own_job or is_job_directory(entries[directory]):
            if directory == ".":
                raise describe_job(folder, is_own=own_job == directory)
            if not _is_below(directory, jobs):
                jobs.append(directory)
    return jobs


def describe_job(folder: str, *, is_own: bool) -> UsageError:
    """Makes the error for a folder of texts that is a job directory."""
    if is_own:
        return UsageError(
            f"{named('job_dir')} must not be the folder of the text, got {folder} for both: name another {named('job_dir')}"
        )
    return UsageError(
        f"{folder} is a job directory, which is not read as text: name the folder or the files of your text"
    )


def files_below(folder: Path) -> Iterator[str]:
    """Yields the names of the files below a folder, relative to it. A hidden folder is listed like a file, and not opened."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = (name for name in folders if name not in hidden)
        for name in (*names, *hidden):
            path = Path(place, name)
            if path.is_file() or name in hidden:
                yield path.relative_to(folder).as_posix()


def relative_path(place: str | None, folder: Path) -> str | None:
    """Returns a local path relative to a folder, for `choose_texts`; None if it is not in the folder."""
    if place is None or is_bucket(place):
        return None
    # Path.resolve would fail if links form a circle.
    path, top = Path(os.path.realpath(place)), os.path.realpath(folder)
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else None


def has_job_layout(place: Path) -> bool:
    """Returns whether a path is a job directory that can be read."""
    try:
        return is_job_directory(os.listdir(place))  # noqa: PTH208 - names are what is compared
    except OSError:
        return False


def _shown(folder: str, name: str) -> str:
    return visible(below(folder, name).removeprefix("./"))


def _is_text(name: str) -> bool:
    return name.endswith(ENDINGS) and _hidden_part(name) is None


def _is_below(name: str, directories: Iterable[str]) -> bool:
    return any(name.startswith(f"{directory}/") for directory in directories)


def _hidden_part(name: str) -> str | None:
    """Returns the name up to its first hidden part; None if no part is hidden."""
    path = PurePosixPath(name)
    return next((str(part) for part in (*reversed(path.parents), path) if part.name.startswith(".")), None)


def _count(names: tuple[str, ...], one: str, several: str) -> str:
    return f"1 {one} ({names[0]})" if len(names) == 1 else f"{len(names):,} {several} (such as {names[0]})"
