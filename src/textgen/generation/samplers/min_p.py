"""Keeps the tokens that are likely enough compared with the most likely one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MinP:
    """Forbids tokens that are less probable than a given fraction of the most likely token's probability.

    So few tokens remain where the model is confident, and many where it is not (Nguyen et al. 2024, "Turning up the heat:
    min-p sampling for creative and coherent LLM outputs", section 3).

    Args:
        fraction: above 0 and at most 1; at 1, only the most likely token remains.

    Example:
        >>> logits = np.log(np.array([[0.6, 0.1, 0.3]], np.float32))
        >>> MinP(0.2)(logits)
        >>> np.exp(logits)
        array([[0.6, 0. , 0.3]], dtype=float32)
    """

    def __init__(self, fraction: float) -> None:
        self._below_best = np.float32(math.log(fraction))

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Forbids tokens in place; see `Filter`."""
        logits[logits < logits.max(axis=-1, keepdims=True) + self._below_best] = -np.inf
