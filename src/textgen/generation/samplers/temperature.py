"""The sampler that turns the model's confidence up or down."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from textgen.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Temperature:
    """Draws a token with the probability softmax(logits / temperature).

    Args:
        temperature: above 0. At 1 the tokens come as often as the model expects them; below, the likely ones come more
            often still and the text is safer; above, the unlikely ones do and the text is wilder.

    Raises:
        UsageError: when the temperature is not a finite number above 0.

    Example:
        >>> Temperature(0.8)(np.array([0.1, 2.0, 0.3]), np.random.default_rng(seed=1))
        1
    """

    def __init__(self, temperature: float) -> None:
        if not (math.isfinite(temperature) and temperature > 0):
            raise UsageError(f"temperature must be a finite number above 0, not {temperature}")
        self._temperature = temperature

    def __call__(self, logits: NDArray[np.floating], rng: np.random.Generator) -> int:
        """Draws a token; see `Sampler`."""
        below_best = logits.astype(np.float64) - logits.max()
        with np.errstate(over="ignore"):  # next to temperature 0 the quotient is -inf, which is right: probability 0
            weights = np.exp(below_best / self._temperature)
        # Lay the weights end to end and point at a place. A place belongs to the token whose weight ends beyond it
        # (side="right"), so that one of weight 0 has none; and rng.random() is below 1, so that there always is one.
        ends = np.cumsum(weights)
        return int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))
