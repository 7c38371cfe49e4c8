"""Makes sections of text for tests."""

import hashlib
from pathlib import Path

from textgen.corpus import Section


def write_section(path: Path, text: str, start: int = 0, stop: int | None = None) -> Section:
    """Writes a text, whose line breaks are LF, to a file; returns `text[start:stop]` as a section of the file."""
    path.write_bytes(text.encode())
    stop = len(text) if stop is None else stop
    return Section((path,), "utf-8", start, stop, hashlib.sha256(text[start:stop].encode()).hexdigest())
