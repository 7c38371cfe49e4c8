"""A contiguous part of the text of some files; knows nothing of tokens but where a text may be cut between them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.corpus.reading import read_chunks
from textgen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# How far a chunk may grow beyond its size while it has no place to cut. A line without a space can be the whole file,
# and memory must stay bounded; no word is a million characters long.
_REACH = 1 << 20

_BEFORE_LAST_SPACES = re.compile(r".*\S(?=\s)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A contiguous part of a text, as it was when it was hashed.

    Attributes:
        paths: the files whose texts, one after the other, are the whole text; see `read_files`.
        encoding: how they are encoded.
        start: the first character of the section within the whole text.
        stop: the character after its last.
        sha256: the hash, in hex, of the section's own text in UTF-8, wherever that text is.
    """

    paths: tuple[Path, ...]
    encoding: str
    start: int
    stop: int
    sha256: str

    @property
    def characters(self) -> int:
        """The length of the section."""
        return self.stop - self.start

    def chunks(self, characters: int = 1 << 20) -> Iterator[str]:
        """Reads the section in pieces that can be split into tokens one by one.

        Args:
            characters: about the length of a piece.

        Yields:
            Pieces that make up the section. They end after a line break, or, without one, before white space, or, with
            none within a million characters more, anywhere.

        Raises:
            DataError: the text is no longer the one that was hashed, which is noticed before the last piece; and whatever
                `read_files` raises.
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
        """Yields the section in pieces cut anywhere."""
        position = 0
        for text in read_files(self.paths, self.encoding, characters):
            if position >= self.stop:
                return
            yield text[max(self.start - position, 0) : self.stop - position]
            position += len(text)


def _find_cut(text: str, limit: int) -> int:
    """Returns the length to yield: up to the last good place, else all of a text as long as the limit, else nothing."""
    if line_end := text.rfind("\n") + 1:
        return line_end
    if match := _BEFORE_LAST_SPACES.match(text):
        return match.end()
    return len(text) if len(text) >= limit else 0


def read_files(paths: Sequence[Path], encoding: str, characters: int = 1 << 20) -> Iterator[str]:
    """Reads files as one text: a file that does not end in a line break gets one before the next starts.

    Args:
        paths: the files in order.
        encoding: how they are encoded.
        characters: about the longest piece.

    Yields:
        Pieces of the text, cut anywhere.

    Raises:
        DataError: a file is empty or not text; and whatever `read_chunks` raises.
    """
    text = "\n"
    for path in paths:
        if not text.endswith("\n"):
            yield "\n"
        text = ""
        for text in read_chunks(path, encoding, characters):
            yield text
        if not text:
            raise DataError(f"{path} is empty: give a file that holds text")
