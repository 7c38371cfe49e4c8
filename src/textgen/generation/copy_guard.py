"""Prevents a generated text from copying long passages of the training text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.corpus.copy_index import SPAN
from textgen.errors import UsageError, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textgen.corpus import Tokenizer
    from textgen.corpus.copy_index import CopyIndex

LEAST_LIMIT = SPAN - 1
"""The lowest limit, in characters. Nearly all texts share shorter passages, so a lower limit would allow no text."""


class CopyGuard:
    """Tracks the copied runs of one text: passages that the training text contains.

    A run grows by at most one character per character generated. So after a run of n characters, limit - n characters can
    be generated without consulting the index, and most tokens cost nothing.

    Texts are compared in the form that `Tokenizer.plain` gives them. In a pre-tokenized text, the space after a token
    counts as part of it: it is always written, and a run without room for it could not be continued by any token.

    Args:
        index: the copy index of the training text.
        limit: the longest allowed run, in characters, at least `LEAST_LIMIT`.
        tokenizer: the model's tokenizer.
        before: the tokens of the prompt. A run that starts in the prompt and continues in the generated text counts, but
            the prompt itself may contain longer runs. Without a prompt, only runs within the generated text count.

    Raises:
        UsageError: if the limit is too low.
    """

    def __init__(self, index: CopyIndex, limit: int, tokenizer: Tokenizer, before: Iterable[str] = ()) -> None:
        if limit < LEAST_LIMIT:
            raise UsageError(
                f"{named('max_copy')} must be at least {LEAST_LIMIT} characters, got {limit}; nearly all texts have shorter runs in common"
            )
        self._index = index
        self._limit = limit
        self._separator = tokenizer.separator
        self._end = "".join(f"{token}{self._separator}" for token in before)[-limit:]
        self._free = 0 if self._end else limit
        self._asked: tuple[str, int] | None = None

    def allows(self, token: str) -> bool:
        """Returns whether a token can come next without a run that exceeds the limit."""
        longest, free = self._look_ahead(token)
        self._asked = token, free
        return longest <= self._limit

    def add(self, token: str) -> None:
        """Adds the next token of the text; this is free if `allows` was just called with it."""
        if self._asked is None or self._asked[0] != token:
            self._asked = token, self._look_ahead(token)[1]
        self._free = self._asked[1]
        self._end = self._append(token)[-self._limit :]
        self._asked = None

    def _append(self, token: str) -> str:
        return f"{self._end}{token}{self._separator}"

    def _look_ahead(self, token: str) -> tuple[int, int]:
        """Extends the runs by a token.

        Args:
            token: the token that may come next.

        Returns:
            The longest run, and the number of characters after the token that need no look-up in the index. Runs below the
            limit may be missed, and every run above it counts as limit + 1.
        """
        text = self._append(token)
        longest, free = 0, self._free
        stop = len(self._end) + free + 1
        while stop <= len(text):
            run = self._index.compare(text[max(stop - self._limit - 1, 0) : stop]).copied_end()
            longest, free = max(longest, run), max(self._limit - run, 0)
            stop += free + 1
        return longest, stop - 1 - len(text)
