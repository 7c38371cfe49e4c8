"""Finds the directories that are not a job's: the user's caches, unfinished uploads, and the files that come with textgen."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from textgen.errors import MissingError, UsageError
from textgen.storage.bucket_names import is_uri
from textgen.storage.files import is_temporary, make_directory, remove_old_temporaries

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]

BASE = "base"
"""The name of the base model."""

_UNUSED_SECONDS = 30 * 24 * 60 * 60
"""A cached file that nobody has read for this long only fills the disk."""


def cache_directory(kind: str, *, expires: bool = False) -> Path:
    """Returns the directory for one kind of cached file: in `TEXTGEN_CACHE`, or else in the user's cache directory.

    Temporary files that killed processes left there are removed; those of running processes stay.

    Args:
        kind: the directory's name, such as `"ids"`.
        expires: whether files, and directories of files, that nobody has read for thirty days are removed too.

    Raises:
        UsageError: as `named_directory`.
        TextgenError: if it cannot be created.
    """
    directory = cache_root() / kind
    make_directory(directory)
    remove_old_temporaries(directory)
    for path in directory.iterdir() if expires else ():
        # Another process may remove it first, and Windows refuses to remove an open file.
        with contextlib.suppress(OSError):
            if is_temporary(path) or _unused_seconds(path) <= _UNUSED_SECONDS:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    return directory


def cache_root() -> Path:
    """Returns the directory of all caches; does not create it.

    Raises:
        TextgenError: as `named_directory`.
    """
    from platformdirs import user_cache_path

    return named_directory("TEXTGEN_CACHE") or user_cache_path("textgen", appauthor=False)


def named_directory(variable: str) -> Path | None:
    """Returns the directory that an environment variable names, or None if it is empty or not set.

    Raises:
        UsageError: if it is a URI.
        MissingError: if the directory is in the home of a user that does not exist.
    """
    named = os.environ.get(variable)
    if named and is_uri(named):
        raise UsageError(f"{variable} must be a local path, got {named}; name another place")
    try:
        return Path(named).expanduser() if named else None
    except RuntimeError as error:
        raise MissingError(f"{variable} is {named}, and there is no such home directory; name another place") from error


def state_path(name: str) -> Path:
    """Returns a path in `TEXTGEN_STATE`, or else in the user's state directory; creates nothing.

    Earlier versions kept such work in the cache. If it is there, and not in the new directory, that path is returned.

    Args:
        name: the relative path of a file or a directory, such as `"jobs/KEY/copy"`.

    Raises:
        MissingError: if `TEXTGEN_STATE` or `TEXTGEN_CACHE` is in the home of a user that does not exist.
    """
    from platformdirs import user_state_path

    path = (named_directory("TEXTGEN_STATE") or user_state_path("textgen", appauthor=False)) / name
    earlier = cache_root() / name
    return earlier if earlier.exists() and not path.exists() else path


def bundled(name: str) -> Path:
    """Returns the path of a bundled file or directory.

    A wheel contains them inside the package (see `pyproject.toml`); in a checkout they are at its top.

    Args:
        name: the path relative to the top of the checkout, such as `"configs"` or `"data/story.txt"`.
    """
    in_wheel = _PACKAGE / "bundled" / name
    return in_wheel if in_wheel.exists() else _CHECKOUT / name


def base_path() -> Path:
    """Returns the file of the base model, which comes with textgen."""
    return bundled("data/base.safetensors")


def as_typed(place: str | Path) -> str:
    """Returns the path or URI of a model as a user can type it: that of the base model is `base`."""
    return BASE if str(place) == str(base_path()) else str(place)


def _unused_seconds(path: Path) -> float:
    """How long ago a file, or one in a directory, was last read or written, as far as the file system records that."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    used = (max(file.stat().st_atime, file.stat().st_mtime) for file in files)
    return time.time() - max([path.stat().st_mtime, *used])
