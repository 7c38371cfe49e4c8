"""The sampler that draws tokens as often as they are probable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Categorical:
    """Draws a token with the probability softmax(logits).

    By the Gumbel-max trick: of the logits, each with a random number of the Gumbel distribution added to it, the token's
    is the largest with just this probability (Maddison, Tarlow and Minka 2014, "A* sampling", section 2). That is two
    calls of NumPy, where a softmax, its sums and a search in them are six; and the numbers can be drawn ahead.

    Example:
        >>> noise = Categorical.noise(np.random.default_rng(seed=1), (1, 3))
        >>> Categorical()(np.array([[0.1, 2.0, 0.3]], np.float32), noise)
        array([1])
    """

    def __call__(self, logits: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.intp]:
        """Draws a token in each row; see `Chooser`."""
        np.add(logits, noise, logits)
        ids: NDArray[np.intp] = logits.argmax(axis=-1)
        return ids

    @staticmethod
    def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draws numbers of the standard Gumbel distribution: -log(E), where E is exponential.

        Args:
            rng: where they come from.
            shape: how many.

        Returns:
            The numbers, float32. E is drawn in double precision: in single precision it would be 0 now and then, and any
            token could win.
        """
        numbers = rng.standard_exponential(shape).astype(np.float32)
        np.log(numbers, numbers)
        return np.negative(numbers, numbers)
