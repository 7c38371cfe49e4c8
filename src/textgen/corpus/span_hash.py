"""Computes the hashes of all spans of a text, as NumPy arrays.

The hash of a span of code points c_1 ... c_n is c_1 M^n + c_2 M^(n-1) + ... + c_n M, modulo 2**64 (Karp and Rabin 1987,
"Efficient randomized pattern-matching algorithms"). Because of the last factor M, the last code point affects the upper
bits, too. Use the upper bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# 2**64 divided by the golden ratio, made odd (Knuth, The Art of Computer Programming 3, 6.4).
_MULTIPLIER = 0x9E3779B97F4A7C15


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
