"""The sampler that leaves nothing to chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Greedy:
    """Takes the likeliest token; the one with the lowest id where several are.

    Example:
        >>> Greedy()(np.array([0.1, 2.0, 0.3]), np.random.default_rng())
        1
    """

    def __call__(self, logits: NDArray[np.floating], rng: np.random.Generator) -> int:  # noqa: ARG002
        """Takes the likeliest token; see `Sampler`."""
        return int(np.argmax(logits))
