"""A contiguous part of the text of some files; knows nothing of tokens but where they may be parted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.corpus.reading import read_chunks
from textgen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# How far beyond its size a chunk may grow while it holds no place to cut. A line without a space can be the whole file,
# and the memory must stay bounded; no word is a million characters long.
_REACH = 1 << 20

_BEFORE_LAST_SPACES = re.compile(r".*\S(?=\s)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A contiguous part of a text.

    Attributes:
        paths: the files whose texts, one after the other, are the whole text; see `read_files`.
        encoding: how they are encoded.
        start: the first character of the section within the whole text.
        stop: the character behind its last.
    """

    paths: tuple[Path, ...]
    encoding: str
    start: int
    stop: int

    @property
    def characters(self) -> int:
        """The length of the section."""
        return self.stop - self.start

    def chunks(self, characters: int = 1 << 20) -> Iterator[str]:
        """Reads the section in pieces that can be split into tokens one by one.

        Args:
            characters: about the length of a piece.

        Yields:
            Pieces that make up the section. They end behind a line end; where there is none, before white space; where
            there is none within a million characters more, anywhere.
        """
        rest = ""
        for text in self._read(characters):
            rest += text
            if len(rest) >= characters and (cut := _find_cut(rest, characters + _REACH)):
                yield rest[:cut]
                rest = rest[cut:]
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
    """Returns how much of a text to hand out: up to the last good place, else all from the limit on, else nothing."""
    if line_end := text.rfind("\n") + 1:
        return line_end
    if match := _BEFORE_LAST_SPACES.match(text):
        return match.end()
    return len(text) if len(text) >= limit else 0


def read_files(paths: Sequence[Path], encoding: str, characters: int = 1 << 20) -> Iterator[str]:
    """Reads files as one text: one that does not end in a line break gets one before the next begins.

    Args:
        paths: the files in order.
        encoding: how they are encoded.
        characters: about the longest piece.

    Yields:
        Pieces of the text, cut anywhere.

    Raises:
        DataError: a file is empty, or not text; and all that `read_chunks` raises.
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
