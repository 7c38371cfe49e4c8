"""Finds the directory for work that is not uploaded yet, which must survive when the cache is emptied."""

from __future__ import annotations

from pathlib import Path

from textgen.storage.cache import cache_root, named_directory


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
