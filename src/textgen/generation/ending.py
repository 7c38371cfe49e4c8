"""Decides where a generated text ends before it reaches its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

FinishReason: TypeAlias = Literal["length", "until", "lines", "max_copy", "ban"]
"""Why a text ended: it reached its length, contains a text of `until`, has all its lines, or could not continue without
copying more than `max_copy` characters or writing a text of `ban`."""


class Ending:
    r"""Cuts the piece in which a text ends.

    Args:
        until: texts of which the first to occur ends the generated text, and is included.
        lines: the number of lines after which the text ends, without the last line break.

    Example:
        >>> ending = Ending(until=["end"])
        >>> ending.cut("Here it e"), ending.cut("nds.")
        (('Here it e', None), ('nd', 'until'))
    """

    def __init__(self, until: Sequence[str] = (), lines: int | None = None) -> None:
        self._until = tuple(until)
        self._lines_left = lines
        self._reach = max(map(len, self._until), default=1) - 1
        self._tail = ""  # the end of the text, where a text of `until` may have started

    def cut(self, piece: str) -> tuple[str, FinishReason | None]:
        """Cuts the next piece of the text where the text ends.

        Args:
            piece: the next piece.

        Returns:
            The part of the piece that belongs to the text, and the reason why the text ends there, or None if it continues.
        """
        ends: list[tuple[int, FinishReason]] = []
        text = self._tail + piece
        found = [position + len(end) for end in self._until if (position := text.find(end)) >= 0]
        if found:
            ends.append((min(found) - len(self._tail), "until"))
        line_end = self._find_last_line_end(piece)
        if line_end >= 0:
            ends.append((line_end, "lines"))
        self._tail = text[-self._reach :] if self._reach else ""
        if not ends:
            return piece, None
        length, reason = min(ends, key=lambda end: end[0])
        return piece[:length], reason

    def _find_last_line_end(self, piece: str) -> int:
        """Counts line breaks, and returns the index of the one that ends the last line, or -1."""
        if self._lines_left is None:
            return -1
        index = -1
        for _ in range(min(piece.count("\n"), self._lines_left)):
            index = piece.find("\n", index + 1)
            self._lines_left -= 1
        return index if self._lines_left == 0 else -1
