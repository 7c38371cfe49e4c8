"""Keeps the most likely tokens up to a total probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TopP:
    """Forbids all but the nucleus: the most likely tokens that together have the probability p.

    The method comes from Holtzman, Buys, Du, Forbes and Choi (2020), "The curious case of neural text degeneration",
    section 3.1.

    Args:
        p: above 0 and below 1. The token that reaches p is kept, and so are tokens that are as likely as it.

    Example:
        >>> logits = np.log(np.array([[0.5, 0.2, 0.3]], np.float32))
        >>> TopP(0.7)(logits)
        >>> np.exp(logits)
        array([[0.5, 0. , 0.3]], dtype=float32)
    """

    def __init__(self, p: float) -> None:
        self._p = p

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Forbids tokens in place; see `Filter`."""
        falling = -np.sort(-logits, axis=-1)
        weights = np.exp(falling - falling[:, :1], dtype=np.float64)
        reached = np.cumsum(weights, axis=-1)
        kept = np.count_nonzero(reached - weights < self._p * reached[:, -1:], axis=-1, keepdims=True)
        logits[logits < np.take_along_axis(falling, kept - 1, axis=-1)] = -np.inf
