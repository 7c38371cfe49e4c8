"""Prevents spaces that the training text never has: before punctuation, and next to other white space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID, is_restricted

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Spacing:
    """Forbids a restricted token (`is_restricted`) after white space that it never directly follows in the training text.

    Args:
        tokens: the vocabulary, in id order.
        after_white_space: the restricted tokens that follow each white-space token in the training text, as in `ModelFile`.

    Example:
        >>> spacing = Spacing(["", "[UNK]", " ", ",", "end"], {})
        >>> logits = np.zeros((2, 5), np.float32)
        >>> spacing(logits, np.array([2, 4]))
        >>> logits
        array([[  0.,   0., -inf, -inf,   0.],
               [  0.,   0.,   0.,   0.,   0.]], dtype=float32)
    """

    def __init__(self, tokens: Sequence[str], after_white_space: Mapping[str, Sequence[str]]) -> None:
        id_of = {token: number for number, token in enumerate(tokens) if is_restricted(token)}
        self._restricted = np.array(list(id_of.values()), np.intp)
        nothing = np.array([], np.intp)
        self._allowed = {number: nothing for token, number in id_of.items() if token.isspace()}
        for token, followers in after_white_space.items():
            self._allowed[id_of[token]] = np.array([id_of[after] for after in followers], np.intp)
        if len(id_of) == len(tokens) - FIRST_TOKEN_ID:  # every token is restricted, so never forbid them all
            self._allowed = {number: allowed for number, allowed in self._allowed.items() if len(allowed)}

    def __call__(self, logits: NDArray[np.float32], previous: NDArray[np.integer]) -> None:
        """Sets the logits of forbidden tokens to -inf, in place; at least one token remains in each row.

        Args:
            logits: `(batch, vocabulary_size)`, the logits of the next tokens.
            previous: `(batch,)`, the ids of the last tokens.
        """
        for row, token_id in zip(logits, previous.tolist(), strict=True):
            allowed = self._allowed.get(token_id)
            if allowed is not None:
                kept = row[allowed]
                row[self._restricted] = -np.inf
                row[allowed] = kept
