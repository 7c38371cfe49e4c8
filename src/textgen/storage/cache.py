"""Says where caches lie: files that can be made again from the text and are never needed to sample."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from textgen.errors import MissingError
from textgen.storage.files import make_directory

_ABANDONED_SECONDS = 24 * 60 * 60
"""A temporary file that nobody has written to for so long is what a killed process left."""


def cache_directory(kind: str) -> Path:
    """A directory for one kind of cached file: below `TEXTGEN_CACHE`, else below the user's cache directory.

    What killed processes left there goes; the temporary files of others at work stay.

    Args:
        kind: its name, such as `"ids"`.

    Raises:
        TextgenError: when it cannot be made.
    """
    named = os.environ.get("TEXTGEN_CACHE")
    if named:
        try:
            root = Path(named).expanduser()
        except RuntimeError as error:
            raise MissingError(
                f"TEXTGEN_CACHE is {named}, and there is no such home directory; name another place"
            ) from error
    else:
        from platformdirs import user_cache_path

        root = user_cache_path("textgen", appauthor=False)
    directory = root / kind
    make_directory(directory)
    for path in directory.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()
    return directory
