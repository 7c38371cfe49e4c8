"""The sampler that turns the model's confidence up or down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLATTEST, _STEEPEST = 1e-30, 1e30


class Temperature:
    """Divides logits by the temperature, so that a token's probability is softmax(logits / temperature).

    Args:
        temperature: above 0. At 1 the tokens come as often as the model expects them; below, the likely ones come more
            often still and the text is safer; above, the unlikely ones do and the text is wilder.

    Example:
        >>> logits = np.array([[1.0, 2.0]], np.float32)
        >>> Temperature(0.5)(logits)
        >>> logits
        array([[2., 4.]], dtype=float32)
    """

    def __init__(self, temperature: float) -> None:
        # Beyond these factors float32 knows only 0 and infinity, and long before nothing changes any more.
        self._factor = np.float32(min(max(1 / temperature, _FLATTEST), _STEEPEST))

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Divides in place; see `Filter`."""
        np.multiply(logits, self._factor, logits)
