"""Makes the model more or less confident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLATTEST, _STEEPEST = 1e-30, 1e30


class Temperature:
    """Divides logits by the temperature, so that a token's probability is softmax(logits / temperature).

    Args:
        temperature: above 0. At 1, the model's probabilities are unchanged. Below 1, likely tokens become more likely, and
            the text is safer. Above 1, unlikely tokens become more likely, and the text is wilder.

    Example:
        >>> logits = np.array([[1.0, 2.0]], np.float32)
        >>> Temperature(0.5)(logits)
        >>> logits
        array([[2., 4.]], dtype=float32)
    """

    def __init__(self, temperature: float) -> None:
        # Beyond these limits, the factor in float32 would be 0 or infinity. The choice stops changing long before them.
        self._factor = np.float32(min(max(1 / temperature, _FLATTEST), _STEEPEST))

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Divides logits in place; see `Filter`."""
        np.multiply(logits, self._factor, logits)
