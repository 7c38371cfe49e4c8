"""Keeps a text from copying the training text word for word; knows nothing of how its tokens are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.corpus.copy_index import SPAN
from textgen.errors import UsageError, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textgen.corpus import Tokenizer
    from textgen.corpus.copy_index import CopyIndex

LEAST_LIMIT = SPAN - 1
"""The least limit, in characters. Runs of this length are chance: nearly all text has them, and none could be written."""


class CopyGuard:
    """Watches the verbatim runs of one text while it grows: the passages that the training text contains.

    A run grows by no more than a character with each character written. So a run of n characters leaves limit - n that
    can be written without a look at the index, and most tokens cost nothing.

    Texts are compared as `Tokenizer.plain` has them. The blank behind a spaced token counts as a part of it: it is
    written whatever comes next, and where a run had no room for it no token could follow.

    Args:
        index: of the training text.
        limit: the longest run to allow, in characters, at least `LEAST_LIMIT`.
        tokenizer: the model's.
        before: the tokens of the prompt. A run that begins there and goes on is copied like any other, and counts; the
            prompt itself may hold longer ones. Without it only the runs within what is written count.

    Raises:
        UsageError: when the limit is too low.
    """

    def __init__(self, index: CopyIndex, limit: int, tokenizer: Tokenizer, before: Iterable[str] = ()) -> None:
        if limit < LEAST_LIMIT:
            raise UsageError(
                f"{named('max_copy')} must be at least {LEAST_LIMIT} characters, got {limit}: nearly all text has shorter runs in common"
            )
        self._index = index
        self._limit = limit
        self._separator = tokenizer.separator
        self._end = "".join(f"{token}{self._separator}" for token in before)[-limit:]
        self._free = 0 if self._end else limit
        self._asked: tuple[str, int] | None = None

    def allows(self, token: str) -> bool:
        """Says whether no run that ends within a token, if it comes next, is longer than the limit."""
        longest, free = self._look_ahead(token)
        self._asked = token, free
        return longest <= self._limit

    def add(self, token: str) -> None:
        """Takes the next token of the text; at no cost if it is the one last asked for."""
        if self._asked is None or self._asked[0] != token:
            self._asked = token, self._look_ahead(token)[1]
        self._free = self._asked[1]
        self._end = self._append(token)[-self._limit :]
        self._asked = None

    def _append(self, token: str) -> str:
        return f"{self._end}{token}{self._separator}"

    def _look_ahead(self, token: str) -> tuple[int, int]:
        """Follows the runs through a token.

        Args:
            token: the token that may come next.

        Returns:
            The longest run met, where those below the limit may go unmet, and any above it counts as one character more
            than the limit; and how many characters behind the token need no look at the index.
        """
        text = self._append(token)
        longest, free = 0, self._free
        stop = len(self._end) + free + 1
        while stop <= len(text):
            run = self._index.compare(text[max(stop - self._limit - 1, 0) : stop]).copied_end()
            longest, free = max(longest, run), max(self._limit - run, 0)
            stop += free + 1
        return longest, stop - 1 - len(text)
