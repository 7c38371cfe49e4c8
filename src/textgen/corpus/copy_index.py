"""Finds passages that occur in the training text, exactly.

The index is a sorted array of 64-bit keys, one for every second position of the training text. The upper bits are the hash
of the 16 characters that start there, and the lower bits are the position. Of any 17 characters, either the first 16 or
the last 16 start at such a position. So two look-ups find all positions where a passage may occur. The hash can only rule
positions out; comparing the passage with the text makes the answer exact.

The keys take 4 bytes per character of the training text. The text itself takes 1, 2 or 4, depending on its characters.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus.short_copy import longest_short_copy
from textgen.corpus.span_hash import code_points, hash_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN = 17
"""The shortest passage, in characters, that is looked up in the index; shorter ones are searched for in the text."""

_HASHED = 16
_STRIDE = 2
_CHUNK_CHARACTERS = 1 << 14

# Comparing a passage at one position takes about as long as searching this many characters for it.
_CHARACTERS_PER_PLACE = 256


@dataclass(frozen=True, eq=False)
class CopyIndex:
    """Finds passages in the training text.

    Attributes:
        text: the training text, in the form that `Tokenizer.plain` gives it.
        keys: `(count_keys(text),)`, uint64, sorted: the keys that `build` makes from this text.
    """

    text: str
    keys: NDArray[np.uint64]

    @classmethod
    def build(cls, text: str) -> CopyIndex:
        """Builds the index of a training text; needs about 0.5 MB of memory in addition to the index itself.

        Args:
            text: the training text, in the form that `Tokenizer.plain` gives it.
        """
        index = cls(text, np.empty(count_keys(text), np.uint64))
        step = _CHUNK_CHARACTERS // _STRIDE
        for start in range(0, len(index.keys), step):
            first = start * _STRIDE
            codes = code_points(text[first : first + _CHUNK_CHARACTERS + _HASHED - 1])
            hashes = hash_spans(codes, _HASHED)[::_STRIDE]
            places = np.arange(first, first + _STRIDE * len(hashes), _STRIDE).astype(np.uint64)
            index.keys[start : start + step] = hashes & ~index.place_bits | places
        index.keys.sort()
        return index

    @cached_property
    def place_bits(self) -> np.uint64:
        """The lower bits of a key, which contain the position."""
        return np.uint64((1 << len(self.text).bit_length()) - 1)

    def compare(self, text: str) -> Comparison:
        """Prepares a text, so that several of its passages can be looked up."""
        return Comparison(self, text)

    def contains(self, passage: str) -> bool:
        """Returns whether the training text contains a passage of any length."""
        return self.compare(passage).is_copied(0, len(passage))

    def longest_copy(self, text: str) -> str:
        """Returns the longest passage of a text that the training text contains; the first if there are several."""
        return self.compare(text).longest_copy()


def count_keys(text: str) -> int:
    """Returns the number of keys in the index of a text: one for every second position that has 16 characters to hash."""
    return max(len(text) - _HASHED + _STRIDE, 0) // _STRIDE


class Comparison:
    """A text whose passages are looked up in the training text.

    Args:
        index: the copy index of the training text.
        text: the text, in the form that `Tokenizer.plain` gives it.
    """

    def __init__(self, index: CopyIndex, text: str) -> None:
        self._index = index
        self._text = text
        hashes = hash_spans(code_points(text), _HASHED)
        self._begins = index.keys.searchsorted(hashes & ~index.place_bits)
        self._ends = index.keys.searchsorted(hashes | index.place_bits, "right")
        counts = self._ends - self._begins
        self._counts = counts[:-1] + counts[1:]
        self._searched: dict[str, bool] = {}

    def is_copied(self, start: int, stop: int) -> bool:
        """Returns whether the training text contains `text[start:stop]`; `0 <= start <= stop <= len(text)`."""
        passage = self._text[start:stop]
        if len(passage) < SPAN:
            return passage in self._index.text
        counts = self._counts[start : stop - SPAN + 1]
        rarest = int(counts.argmin())
        if counts[rarest] > len(self._index.text) // _CHARACTERS_PER_PLACE:
            return self._search(passage)
        return any(
            place >= offset and self._index.text.startswith(passage, place - offset)
            for offset in range(rarest, rarest + _STRIDE)
            for place in self._places(start + offset)
        )

    def longest_copy(self) -> str:
        """Returns the longest passage that the training text contains; the first if there are several."""
        start, length = 0, SPAN - 1
        for place in range(len(self._text) - SPAN + 1):
            while place + length < len(self._text) and self.is_copied(place, place + length + 1):
                start, length = place, length + 1
        if length >= SPAN:
            return self._text[start : start + length]
        return longest_short_copy(self._text, self._index.text, SPAN - 1)

    def copied_end(self) -> int:
        """Returns the length of the longest suffix that the training text contains; SPAN - 1 for any shorter one."""
        stop = len(self._text)
        longer = range(SPAN, stop + 1)
        return SPAN - 1 + bisect_left(longer, True, key=lambda length: not self.is_copied(stop - length, stop))

    def _search(self, passage: str) -> bool:
        """Searches the training text, once per passage; a text that repeats one character asks for the same many times."""
        if passage not in self._searched:
            self._searched[passage] = passage in self._index.text
        return self._searched[passage]

    def _places(self, span: int) -> list[int]:
        """The positions in the training text where a span of the text may occur, by its hash."""
        keys = self._index.keys[self._begins[span] : self._ends[span]]
        places: list[int] = (keys & self._index.place_bits).tolist()
        return places
