"""Wraps the lines of a growing text between words; a terminal alone would break them anywhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from rich.cells import cell_len

_NO_BREAK = "\u00a0\u2007\u202f"
# A line end, other white space, or a word, which may contain no-break spaces.
_PARTS = re.compile(rf"\n|(?:(?![\n{_NO_BREAK}])\s)+|[\S{_NO_BREAK}]+")
_TAB = 8


class WordWrap:
    r"""Moves a word to the next line if it does not fit on the current one; the text's own line ends stay.

    A word is held back until white space follows it or it no longer fits. The first word of a line is never held back; if
    it is longer than a line, the terminal breaks it.

    Args:
        width: returns the number of columns; called before each piece. 0 if it is unknown: then nothing is wrapped.

    Example:
        >>> wrap = WordWrap(lambda: 9)
        >>> [wrap.add(piece) for piece in ("One, two, th", "ree", ".", "\n")]
        ['One, two,', '\nthree', '.', '\n']
    """

    def __init__(self, width: Callable[[], int]) -> None:
        self._ask_width = width
        self._width = sys.maxsize
        self._column = 0
        self._has_word = False  # whether the line has a word yet; indentation before the first one is written at once
        self._blanks = ""  # white space that is held back, and dropped if the line is wrapped there
        self._word = ""  # the word after it, also held back

    def add(self, text: str) -> str:
        """Takes the next piece of the text, and returns what to write now."""
        self._width = self._ask_width() or sys.maxsize
        return "".join(map(self._place, _PARTS.findall(text)))

    def _place(self, part: str) -> str:
        if part == "\n":
            line_end = self._release() + part
            self._column, self._has_word = 0, False
            return line_end
        if part[0].isspace() and part[0] not in _NO_BREAK:
            return self._place_blanks(part)
        self._has_word = True
        if not self._blanks:
            return self._write(part)
        self._word += part
        return "" if self._fits(self._blanks + self._word) else self._release()

    def _place_blanks(self, blanks: str) -> str:
        if not self._has_word:
            return self._write(blanks)
        word = self._release() if self._word else ""
        self._blanks += blanks
        return word

    def _release(self) -> str:
        """Returns what was held back, after a line end if it does not fit on the current line."""
        blanks, word = self._blanks, self._word
        self._blanks = self._word = ""
        if self._fits(blanks + word):
            return self._write(blanks + word)
        if not word:
            return ""
        self._column = 0
        return "\n" + self._write(word)

    def _fits(self, text: str) -> bool:
        return _move(self._column, text, sys.maxsize) <= self._width

    def _write(self, text: str) -> str:
        """Returns the text, and moves the column to its end."""
        self._column = _move(self._column, text, self._width)
        return text


def _move(column: int, text: str, width: int) -> int:
    """Returns the column after a text, on a terminal that breaks lines at the given width."""
    for character in text:
        if character == "\t":
            column = min(column + _TAB - column % _TAB, width)
        else:
            size = cell_len(character)
            column = size if column + size > width else column + size
    return column
