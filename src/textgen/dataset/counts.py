"""Counts the tokens in an array of ids, piece by piece, so that memory stays bounded."""

from __future__ import annotations

import numpy as np

_PIECE = 1 << 20


def count_tokens(ids: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Counts how often each id occurs.

    Args:
        ids: `(tokens,)`, unsigned integers, possibly mapped from disk.
        vocabulary_size: the number of ids.

    Returns:
        `(vocabulary_size,)` int64.
    """
    counts = np.zeros(vocabulary_size, np.int64)
    for begin in range(0, len(ids), _PIECE):
        counts += np.bincount(ids[begin : begin + _PIECE], minlength=vocabulary_size)
    return counts
