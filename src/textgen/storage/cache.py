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

_UNUSED_SECONDS = 30 * 24 * 60 * 60
"""A file that nobody has read for so long would rather be made again than fill the disk."""


def cache_directory(kind: str, *, forgets: bool = False) -> Path:
    """A directory for one kind of cached file: below `TEXTGEN_CACHE`, else below the user's cache directory.

    What killed processes left there goes; the temporary files of others at work stay.

    Args:
        kind: its name, such as `"ids"`.
        forgets: whether files that nobody has read for thirty days go too.

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
    for path in directory.iterdir() if forgets else directory.glob(".*.tmp"):
        # Another process may have removed it, and Windows keeps one that is open.
        with contextlib.suppress(OSError):
            is_temporary = path.name.startswith(".") and path.suffix == ".tmp"
            if _unused_seconds(path) > (_ABANDONED_SECONDS if is_temporary else _UNUSED_SECONDS):
                path.unlink()
    return directory


def _unused_seconds(path: Path) -> float:
    """How long ago a file was last read or written, as far as the file system keeps the time of reading."""
    found = path.stat()
    return time.time() - max(found.st_atime, found.st_mtime)
