"""Keeps a text from white space and punctuation where the training text never has them: directly after white space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID, is_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Spacing:
    """Forbids tokens of `is_bound` after a white-space token that they never directly follow in the training text.

    Args:
        tokens: the vocabulary, in id order.
        after_white_space: what follows white space there, as in `ModelFile`.

    Example:
        >>> spacing = Spacing(["", "[UNK]", " ", ",", "end"], {})
        >>> logits = np.zeros((2, 5), np.float32)
        >>> spacing(logits, np.array([2, 4]))
        >>> logits
        array([[  0.,   0., -inf, -inf,   0.],
               [  0.,   0.,   0.,   0.,   0.]], dtype=float32)
    """

    def __init__(self, tokens: Sequence[str], after_white_space: Mapping[str, Sequence[str]]) -> None:
        id_of = {token: number for number, token in enumerate(tokens) if is_bound(token)}
        self._bound = np.array(list(id_of.values()), np.intp)
        nothing = np.array([], np.intp)
        self._allowed = {number: nothing for token, number in id_of.items() if token.isspace()}
        for token, followers in after_white_space.items():
            self._allowed[id_of[token]] = np.array([id_of[after] for after in followers], np.intp)
        if len(id_of) == len(tokens) - FIRST_TOKEN_ID:  # there is nothing else to write
            self._allowed = {number: allowed for number, allowed in self._allowed.items() if len(allowed)}

    def __call__(self, logits: NDArray[np.float32], previous: NDArray[np.integer]) -> None:
        """Forbids in place.

        Args:
            logits: `(batch, vocabulary size)`; -inf forbids a token, and at least one stays.
            previous: the id of the last token of each row, `(batch,)`.
        """
        for row, token_id in zip(logits, previous.tolist(), strict=True):
            allowed = self._allowed.get(token_id)
            if allowed is not None:
                kept = row[allowed]
                row[self._bound] = -np.inf
                row[allowed] = kept
