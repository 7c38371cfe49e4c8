"""Keeps a fixed number of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TopK:
    """Forbids all but the k most likely tokens.

    The method comes from Fan, Lewis and Dauphin (2018), "Hierarchical neural story generation", section 5.4.

    Args:
        k: the number of tokens to keep, at least 1. Tokens that are as likely as the last one of these are kept, too.

    Example:
        >>> logits = np.array([[1.0, 3.0, 2.0]], np.float32)
        >>> TopK(2)(logits)
        >>> logits
        array([[-inf,   3.,   2.]], dtype=float32)
    """

    def __init__(self, k: int) -> None:
        self._k = k

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Forbids tokens in place; see `Filter`."""
        if self._k < logits.shape[-1]:
            least = np.partition(logits, -self._k, axis=-1)[:, -self._k, np.newaxis]
            logits[logits < least] = -np.inf
