"""Says where caches lie: files that can be made again from the text and are never needed to sample."""

from __future__ import annotations

import os
from pathlib import Path

from textgen.errors import MissingError
from textgen.storage.files import make_directory


def cache_directory(kind: str) -> Path:
    """A directory for one kind of cached file: below `TEXTGEN_CACHE`, else below the user's cache directory.

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
    return directory
