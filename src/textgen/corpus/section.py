"""Reads a contiguous part of the text of some files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.corpus.reading import read_chunks
from textgen.corpus.unwrapping import unwrap
from textgen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# The maximum that a chunk may grow beyond its size if there is no place to cut it. A file can be one line without a space, and
# memory must stay bounded. No word is a million characters long.
_REACH = 1 << 20

_BEFORE_LAST_SPACES = re.compile(r".*\S(?=\s)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A contiguous part of a text, in the state in which it was hashed.

    Attributes:
        paths: the files, which together are the whole text; see `read_files`.
        encoding: their encoding.
        start: the index of the section's first character in the whole text.
        stop: the index after its last character.
        sha256: the hash, in hex, of the section's text in UTF-8, which does not depend on its place.
        widths: the width to which the paragraphs of each file are wrapped, as for `read_files`.
    """

    paths: tuple[Path, ...]
    encoding: str
    start: int
    stop: int
    sha256: str
    widths: tuple[int, ...] = ()

    @property
    def characters(self) -> int:
        """The number of characters in the section."""
        return self.stop - self.start

    def chunks(self, characters: int = 1 << 20) -> Iterator[str]:
        """Reads the section in pieces that can be split into tokens one by one.

        Args:
            characters: about the length of a piece.

        Yields:
            The pieces of the section. Each ends after a line break; without one, before white space; and without that within
            another million characters, anywhere.

        Raises:
            DataError: if the text has changed since it was hashed, which is checked before the last piece.
            TextgenError: as in `read_files`.
        """
        rest, digest = "", hashlib.sha256()
        for text in self._read(characters):
            digest.update(text.encode())
            rest += text
            if len(rest) >= characters and (cut := _find_cut(rest, characters + _REACH)):
                yield rest[:cut]
                rest = rest[cut:]
        if digest.hexdigest() != self.sha256:
            files = f"{self.paths[0]}{f' or one of {len(self.paths) - 1} more' if len(self.paths) > 1 else ''}"
            raise DataError(
                f"the text changed while it was read ({files}): run the same command again when nothing writes to it"
            )
        if rest:
            yield rest

    def _read(self, characters: int) -> Iterator[str]:
        """Yields the section in pieces that may end anywhere."""
        position = 0
        for text in read_files(self.paths, self.encoding, characters, self.widths):
            if position >= self.stop:
                return
            yield text[max(self.start - position, 0) : self.stop - position]
            position += len(text)


def _find_cut(text: str, limit: int) -> int:
    """Returns the length to yield: up to the last good place to cut, else the whole text if it reaches the limit, else 0."""
    if line_end := text.rfind("\n") + 1:
        return line_end
    if match := _BEFORE_LAST_SPACES.match(text):
        return match.end()
    return len(text) if len(text) >= limit else 0


def read_files(
    paths: Sequence[Path], encoding: str, characters: int = 1 << 20, widths: Sequence[int] = ()
) -> Iterator[str]:
    """Reads files as one text. A line break is added after each file that lacks one, except the last.

    Args:
        paths: the files, in order.
        encoding: their encoding.
        characters: the approximate maximum length of a piece.
        widths: the width to which the paragraphs of each file are wrapped, from `find_widths`; they are unwrapped. A file with
            width 0 is read as it is, and so are all files if this is empty.

    Yields:
        Pieces of the text, which may end anywhere.

    Raises:
        DataError: if a file is empty or not text.
        TextgenError: as in `read_chunks`.
    """
    text = "\n"
    for path, width in zip(paths, widths or [0] * len(paths), strict=True):
        if not text.endswith("\n"):
            yield "\n"
        text = ""
        pieces = read_chunks(path, encoding, characters)
        for text in unwrap(pieces, width) if width else pieces:
            yield text
        if not text:
            raise DataError(f"{path} is empty: remove it, or name other files")
