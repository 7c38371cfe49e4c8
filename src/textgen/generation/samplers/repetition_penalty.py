"""The sampler that makes what was just said less likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RepetitionPenalty:
    """Multiplies the log-probabilities of the tokens that came lately by a penalty.

    The idea is that of Keskar, McCann, Varshney, Xiong and Socher (2019), "CTRL", section 4.1, who divide the logits. But a
    logit is known up to a constant only, and dividing one below 0 makes its token likelier; log-probabilities are
    determined, and never above 0. And only the last 64 tokens count: a text soon holds all that its language needs.

    Args:
        penalty: at least 1, where nothing changes.

    Attributes:
        window: how many of the last tokens count.

    Example:
        >>> logits = np.log(np.array([[0.5, 0.5]], np.float32))
        >>> RepetitionPenalty(2.0)(logits, np.array([[0]]))
        >>> np.exp(logits)
        array([[0.25, 0.5 ]], dtype=float32)
    """

    window: ClassVar[int] = 64

    def __init__(self, penalty: float) -> None:
        self._penalty = np.float32(penalty)

    def __call__(self, logits: NDArray[np.float32], recent: NDArray[np.integer]) -> None:
        """Changes logits in place, (batch, vocabulary size).

        Args:
            logits: they become log-probabilities, those of the recent tokens multiplied.
            recent: the ids that came lately, (batch, at most `window`); -1 stands for none.
        """
        best = logits.max(axis=-1, keepdims=True)
        np.subtract(logits, best + np.log(np.exp(logits - best).sum(axis=-1, keepdims=True)), logits)
        for row, ids in zip(logits, recent, strict=True):
            row[np.unique(ids[ids >= 0])] *= self._penalty
