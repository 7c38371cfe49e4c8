"""Looks into a local folder for texts: what is below it, whether it is a job, and where a job is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.jobs import is_job_directory
from textgen.storage import is_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """Returns whether a path is a job directory, as far as it may be looked into."""
    try:
        return is_job_directory(os.listdir(place))  # noqa: PTH208 - names are what is compared
    except OSError:
        return False
