"""The sampler that keeps what is likely enough beside the likeliest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MinP:
    """Forbids tokens whose probability is less than a share of that of the likeliest.

    Where the model is sure few tokens are left, where it is not, many: Nguyen et al. (2024), "Turning up the heat: min-p
    sampling for creative and coherent LLM outputs", section 3.

    Args:
        share: above 0, at most 1, where only the likeliest is left.

    Example:
        >>> logits = np.log(np.array([[0.6, 0.1, 0.3]], np.float32))
        >>> MinP(0.2)(logits)
        >>> np.exp(logits)
        array([[0.6, 0. , 0.3]], dtype=float32)
    """

    def __init__(self, share: float) -> None:
        self._below_best = np.float32(math.log(share))

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Forbids in place; see `Filter`."""
        logits[logits < logits.max(axis=-1, keepdims=True) + self._below_best] = -np.inf
