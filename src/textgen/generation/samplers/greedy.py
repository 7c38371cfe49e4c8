"""Takes the most likely token, without any randomness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Greedy:
    """Takes the most likely token; of several equally likely ones, the one with the lowest id.

    Example:
        >>> Greedy()(np.array([[0.1, 2.0, 0.3]], np.float32), np.zeros((1, 3), np.float32))
        array([1])
    """

    def __call__(self, logits: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.intp]:  # noqa: ARG002
        """Takes the most likely token of each row; see `Chooser`."""
        ids: NDArray[np.intp] = logits.argmax(axis=-1)
        return ids
