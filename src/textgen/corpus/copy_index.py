"""Finds passages that occur in the training text, exactly.

The index is a sorted array of 64-bit keys, one for every second position of the training text. The upper bits are the hash
of the 16 characters that start there, and the lower bits are the position. Of any 17 characters, either the first 16 or
the last 16 start at such a position. So two look-ups find all positions where a passage may occur. The hash can only rule
positions out; comparing the passage with the text makes the answer exact.

The keys take 4 bytes per character of the training text. The text itself takes 1, 2 or 4, depending on its characters. The keys
are kept in the cache, in a file that is named after the hash of the text, so it cannot be that of another text.

The hash of a span of code points c_1 ... c_n is c_1 M^n + c_2 M^(n-1) + ... + c_n M, modulo 2**64 (Karp and Rabin 1987,
"Efficient randomized pattern-matching algorithms"). Because of the last factor M, the last code point affects the upper
bits, too. Only the upper bits are used.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus.cached_array import cached_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from textgen.corpus.sections import Section
    from textgen.corpus.tokenizer import Tokenizer

INDEX_VERSION = 1
"""A part of the file's name; increase it with every change to the keys of a text."""

SPAN = 17
"""The shortest passage, in characters, that is looked up in the index; shorter ones are searched for in the text."""

_HASHED = 16
_STRIDE = 2
_CHUNK_CHARACTERS = 1 << 14
_SEARCHED_CHARACTERS = 1 << 16
_SIEVE_BITS = 16

# 2**64 divided by the golden ratio, made odd (Knuth, The Art of Computer Programming 3, 6.4).
_MULTIPLIER = 0x9E3779B97F4A7C15

# Comparing a passage at one position takes about as long as searching this many characters for it.
_CHARACTERS_PER_PLACE = 256


def open_copy_index(section: Section, tokenizer: Tokenizer, directory: Path) -> CopyIndex:
    """Opens the index of a training text. This reads the text once.

    Args:
        section: the training text.
        tokenizer: the model's tokenizer, which gives the form in which texts are compared.
        directory: the directory of the cache.

    Returns:
        The index. Its keys are memory-mapped.

    Raises:
        TextgenError: if the text cannot be read, or the index cannot be read or written.
    """
    pieces = filter(None, map(tokenizer.plain, section.chunks(_CHUNK_CHARACTERS)))
    text = tokenizer.separator.join(pieces)
    path = directory / f"{_hash_text(text)[:32]}.copies{INDEX_VERSION}"
    return CopyIndex(text, cached_array(path, np.uint64, lambda: [CopyIndex.build(text).keys]))


def _hash_text(text: str) -> str:
    """Returns the hash of a text, which is encoded in pieces to save memory."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        digest.update(text[start : start + _CHUNK_CHARACTERS].encode())
    return digest.hexdigest()


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
        """Returns the positions in the training text where a span of the text may occur, by its hash."""
        keys = self._index.keys[self._begins[span] : self._ends[span]]
        places: list[int] = (keys & self._index.place_bits).tolist()
        return places


def longest_short_copy(text: str, training_text: str, most: int) -> str:
    """Finds the longest passage of a text that the training text contains, up to a maximum length.

    Searching for each passage separately would read the training text hundreds of times if little is copied. Instead its
    positions are filtered length by length, by hash: only those remain at which a passage of the text may start.

    Args:
        text: the text.
        training_text: the text to search; may be a million times longer.
        most: the maximum length of a passage.

    Returns:
        The longest passage, the first if there are several; empty if there is none.
    """
    codes = code_points(text)
    grams = {length: hash_spans(codes, length) for length in range(1, most + 1)}
    sieves = {length: _make_sieve(hashes) for length, hashes in grams.items()}
    best_length, best_start = 0, 0
    for begin in range(0, len(training_text), _SEARCHED_CHARACTERS):
        chunk = training_text[begin : begin + _SEARCHED_CHARACTERS + most - 1]
        for length, hashes in _sift(chunk, sieves, max(best_length, 1)):
            for start in np.flatnonzero(np.isin(grams[length], hashes)).tolist():
                if length == best_length and start >= best_start:
                    break
                if text[start : start + length] in chunk:
                    best_length, best_start = length, start
                    break
    return text[best_start : best_start + best_length]


def _make_sieve(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Builds a table of the hashes' upper bits; a hash whose entry is False is none of them."""
    sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
    sieve[_upper_bits(hashes)] = True
    return sieve


def _upper_bits(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return hashes >> np.uint64(64 - _SIEVE_BITS)


def _sift(chunk: str, sieves: Mapping[int, NDArray[np.bool_]], least: int) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Yields each length from `least` on, with the hashes of the chunk's spans that passed all sieves so far."""
    codes = code_points(chunk)
    hashes = hash_spans(codes, least)
    places = np.arange(len(hashes))
    for length in range(least, max(sieves) + 1):
        if length > least:
            places = places[places <= len(codes) - length]
            hashes = extend(hashes[: len(places)], codes[places + length - 1])
        stay = sieves[length][_upper_bits(hashes)]
        places, hashes = places[stay], hashes[stay]
        if not len(places):
            return
        yield length, hashes


def code_points(text: str) -> NDArray[np.uint64]:
    """Returns the code points of a text, `(len(text),)` uint64; lone surrogates are allowed."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)


def hash_spans(codes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Hashes every span of a length, from the hashes of its halves.

    Args:
        codes: the code points of a text.
        length: the length of the spans, at least 1.

    Returns:
        `(len(codes) - length + 1,)`, at least `(0,)`, uint64, in the order in which the spans start.
    """
    if length == 1:
        return extend(np.zeros_like(codes), codes)
    half = length // 2
    halves = hash_spans(codes, half)
    hashes = halves[:-half] * np.uint64(pow(_MULTIPLIER, half, 1 << 64)) + halves[half:]
    return hashes if length == 2 * half else extend(hashes[:-1], codes[length - 1 :])


def extend(hashes: NDArray[np.uint64], codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Extends each span by one code point, and returns the new hashes."""
    return (hashes + codes) * np.uint64(_MULTIPLIER)
