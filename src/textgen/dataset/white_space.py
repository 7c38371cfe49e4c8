"""Finds what a text has directly after white space, piece by piece, so that memory stays bounded for any length."""

from __future__ import annotations

import numpy as np

from textgen.corpus import Vocabulary, is_bound

_PIECE = 1 << 20


def find_after_white_space(ids: np.ndarray, vocabulary: Vocabulary) -> dict[str, list[str]] | None:
    """Finds which white space and punctuation directly follows white space.

    Args:
        ids: `(tokens,)`, unsigned integers, perhaps mapped from disk.
        vocabulary: the tokens.

    Returns:
        For each white-space token that is followed by a token of `is_bound`, these tokens; both sorted. None unless the
        tokens are words: a character model learns such habits by itself.
    """
    if vocabulary.tokenizer.name != "word":
        return None
    is_space = np.array([token.isspace() for token in vocabulary.tokens])
    bound = np.array([is_bound(token) for token in vocabulary.tokens])
    pairs: set[tuple[int, int]] = set()
    for begin in range(0, len(ids) - 1, _PIECE):
        piece = np.asarray(ids[begin : begin + _PIECE + 1], np.int64)
        places = np.flatnonzero(is_space[piece[:-1]] & bound[piece[1:]])
        codes = np.unique(piece[places] * vocabulary.size + piece[places + 1])
        pairs.update(divmod(code, vocabulary.size) for code in codes.tolist())
    named = sorted((vocabulary.tokens[before], vocabulary.tokens[after]) for before, after in pairs)
    found: dict[str, list[str]] = {}
    for before, after in named:
        found.setdefault(before, []).append(after)
    return found
