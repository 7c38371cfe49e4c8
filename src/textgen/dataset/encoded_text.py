"""Finds facts about a text in the array of its ids, piece by piece, so that memory stays bounded."""

from __future__ import annotations

import numpy as np

from textgen.corpus import Vocabulary, is_restricted
from textgen.corpus.cached_array import StoredArray

_PIECE = 1 << 20


def count_tokens(ids: np.ndarray | StoredArray, vocabulary_size: int) -> np.ndarray:
    """Counts how often each id occurs.

    Args:
        ids: `(tokens,)`, unsigned integers, possibly in a file.
        vocabulary_size: the number of ids.

    Returns:
        `(vocabulary_size,)` int64.
    """
    counts = np.zeros(vocabulary_size, np.int64)
    for begin in range(0, len(ids), _PIECE):
        counts += np.bincount(ids[begin : begin + _PIECE], minlength=vocabulary_size)
    return counts


def find_after_white_space(ids: np.ndarray | StoredArray, vocabulary: Vocabulary) -> dict[str, list[str]] | None:
    """Finds the white space and punctuation that directly follows white space in a text of words.

    Args:
        ids: `(tokens,)`, unsigned integers, possibly in a file.
        vocabulary: the vocabulary of the text.

    Returns:
        For each white-space token, the restricted tokens (`is_restricted`) that directly follow it, both sorted. A
        white-space token that none of them follows is left out. None unless the tokenizer guards spacing: a character model
        learns by itself what follows white space.
    """
    if not vocabulary.tokenizer.guards_spacing:
        return None
    is_space = np.array([token.isspace() for token in vocabulary.tokens])
    restricted = np.array([is_restricted(token) for token in vocabulary.tokens])
    pairs: set[tuple[int, int]] = set()
    for begin in range(0, len(ids) - 1, _PIECE):
        piece = np.asarray(ids[begin : begin + _PIECE + 1], np.int64)
        positions = np.flatnonzero(is_space[piece[:-1]] & restricted[piece[1:]])
        codes = np.unique(piece[positions] * vocabulary.size + piece[positions + 1])
        pairs.update(divmod(code, vocabulary.size) for code in codes.tolist())
    found: dict[str, list[str]] = {}
    for before, after in sorted((vocabulary.tokens[before], vocabulary.tokens[after]) for before, after in pairs):
        found.setdefault(before, []).append(after)
    return found
