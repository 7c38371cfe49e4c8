"""Finds the user's directory for work that may exist nowhere else yet, and that must outlive a cleaned cache."""

from __future__ import annotations

from pathlib import Path

from textgen.storage.cache import cache_root, named_directory


def state_path(name: str) -> Path:
    """A path below `TEXTGEN_STATE`, else below the user's state directory; nothing is made there.

    Earlier versions kept such work in the cache. What is there, and not in its new place, is still used where it is.

    Args:
        name: of a file or a directory, such as `"jobs/KEY/copy"`.

    Raises:
        MissingError: when `TEXTGEN_STATE` or `TEXTGEN_CACHE` is in the home of a user that does not exist.
    """
    from platformdirs import user_state_path

    path = (named_directory("TEXTGEN_STATE") or user_state_path("textgen", appauthor=False)) / name
    earlier = cache_root() / name
    return earlier if earlier.exists() and not path.exists() else path
