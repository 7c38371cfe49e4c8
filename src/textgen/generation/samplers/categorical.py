"""Draws tokens at random, according to their probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Categorical:
    """Draws a token with the probability softmax(logits).

    It uses the Gumbel-max trick: noise from the Gumbel distribution is added to each logit, and a token's sum is the
    largest with exactly this probability (Maddison, Tarlow and Minka 2014, "A* sampling", section 2). This takes two NumPy
    calls instead of six for a softmax, its cumulative sums and a search, and the noise can be drawn in advance.

    Example:
        >>> noise = Categorical.noise(np.random.default_rng(seed=1), (1, 3))
        >>> Categorical()(np.array([[0.1, 2.0, 0.3]], np.float32), noise)
        array([1])
    """

    def __call__(self, logits: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.intp]:
        """Draws a token for each row; see `Chooser`."""
        np.add(logits, noise, logits)
        ids: NDArray[np.intp] = logits.argmax(axis=-1)
        return ids

    @staticmethod
    def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draws noise from the standard Gumbel distribution, as -log(E) with E from the exponential distribution.

        Args:
            rng: the random number generator.
            shape: the shape of the noise.

        Returns:
            The noise, float32.
        """
        # In double precision: in single precision E would sometimes be 0, and then any token could win.
        numbers = rng.standard_exponential(shape).astype(np.float32)
        np.log(numbers, numbers)
        return np.negative(numbers, numbers)
