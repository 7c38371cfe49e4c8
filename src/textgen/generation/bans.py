"""Finds banned texts in a text that is being written, token by token."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textgen.corpus import Joiner


class Bans:
    """Tracks where banned texts may have started. Only the text that is written counts, not the prompt.

    Args:
        texts: the banned texts.
        tokens: the vocabulary, in id order.
        joiner: turns the tokens into text.

    Example:
        >>> bans = Bans(["abc"], ["", "[UNK]", "a", "b", "c"], Joiner())
        >>> bans.add(3), bans.add(2), bans.add(3), bans.completes(4)
        (0, 1, 2, 3)
    """

    def __init__(self, texts: Sequence[str], tokens: Sequence[str], joiner: Joiner) -> None:
        self._texts = texts
        self._tokens = tokens
        self._joiner = joiner
        self._pieces: tuple[str, ...] = ()  # of the last tokens, in which a banned text may have started

    def copy(self) -> Bans:
        """Returns a copy, to which tokens can be added independently."""
        other = Bans(self._texts, self._tokens, copy.copy(self._joiner))
        other._pieces = self._pieces
        return other

    def completes(self, token_id: int) -> int:
        """Returns how many tokens contain a banned text if a token comes next, itself included; 0 if there is none."""
        pieces = (*self._pieces, copy.copy(self._joiner).add(self._tokens[token_id]))
        text = "".join(pieces)
        starts = [start for banned in self._texts if (start := text.find(banned)) >= 0]
        return len(pieces) - self._count_before(pieces, min(starts)) if starts else 0

    def add(self, token_id: int) -> int:
        """Adds the next token, and returns how many of the last tokens may be the start of a banned text."""
        pieces = (*self._pieces, self._joiner.add(self._tokens[token_id]))
        text = "".join(pieces)
        reach = max(
            (
                size
                for banned in self._texts
                for size in range(1, min(len(banned), len(text) + 1))
                if text.endswith(banned[:size])
            ),
            default=0,
        )
        self._pieces = pieces[self._count_before(pieces, len(text) - reach) :] if reach else ()
        return len(self._pieces)

    @staticmethod
    def _count_before(pieces: Sequence[str], position: int) -> int:
        """Returns how many pieces end at or before a position of their text."""
        count = end = 0
        for piece in pieces:
            end += len(piece)
            if end > position:
                break
            count += 1
        return count
