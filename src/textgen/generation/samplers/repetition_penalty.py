"""Makes recent tokens less likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class RepetitionPenalty:
    """Multiplies the log-probabilities of recent tokens by a penalty.

    The idea comes from Keskar, McCann, Varshney, Xiong and Socher (2019), "CTRL", section 4.1, who divide the logits. But
    logits are only defined up to a constant, and dividing a negative one makes its token more likely. Log-probabilities are
    unique and never above 0. Only the last 64 tokens count, because a long text contains nearly every token its language
    needs.

    Args:
        penalty: at least 1, which changes nothing.

    Attributes:
        window: the number of recent tokens that count.

    Example:
        >>> logits = np.log(np.array([[0.5, 0.5]], np.float32))
        >>> RepetitionPenalty(2.0)(logits, np.array([[0]]))
        >>> np.exp(logits)
        array([[0.25, 0.5 ]], dtype=float32)
    """

    window: ClassVar[int] = 64

    def __init__(self, penalty: float) -> None:
        self._penalty = np.float32(penalty)

    def __call__(self, logits: NDArray[np.float32], recent: Sequence[NDArray[np.integer]]) -> None:
        """Replaces logits by log-probabilities, in place, with those of the recent tokens multiplied by the penalty.

        Args:
            logits: `(batch, vocabulary_size)`, the logits.
            recent: the ids of each row's recent tokens, at most `window`.
        """
        best = logits.max(axis=-1, keepdims=True)
        np.subtract(logits, best + np.log(np.exp(logits - best).sum(axis=-1, keepdims=True)), logits)
        for row, ids in zip(logits, recent, strict=True):
            row[np.unique(ids)] *= self._penalty
