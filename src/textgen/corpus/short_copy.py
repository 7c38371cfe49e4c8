"""Finds the longest passage that two texts have in common, in one pass over the longer text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus.span_hash import code_points, extend, hash_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_CHUNK_CHARACTERS = 1 << 16
_SIEVE_BITS = 16


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
    for begin in range(0, len(training_text), _CHUNK_CHARACTERS):
        chunk = training_text[begin : begin + _CHUNK_CHARACTERS + most - 1]
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
