"""What the token counts of a text say before anything is learned: how often each token comes, and how often a new one.

A text that has many words only once will soon bring one that it never had. A model that is not told so grows ever surer that
none comes, and pays for each: on 55,000 words of a novel 15 nats, where a fair share of the probability costs 12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from textgen.corpus import UNKNOWN_ID

_MOST_UNSEEN = 0.1
"""A text of few words, each of them once, says nothing of the words to come."""


class Frequencies:
    """How often tokens come, by the counts of a text.

    Tokens that are in the vocabulary and not in the text, and `[UNK]` for all others, share the probability of something new: as
    much as the text has tokens that it has once (Good 1953, "The population frequencies of species"; Turing's estimate).

    Args:
        counts: how often each id occurs, `(vocabulary_size,)`.

    Attributes:
        seen: which tokens occur, 1 or 0, `(vocabulary_size,)` float32: nothing is known of the others, which begin at zero.
        unseen_share: the probability that the next token is one that never occurred; 0 where all did.
    """

    def __init__(self, counts: np.ndarray) -> None:
        unseen = (counts == 0) & (np.arange(len(counts)) >= UNKNOWN_ID)
        self.seen = (counts > 0).astype(np.float32)
        tokens, once = max(1, int(counts.sum())), max(1, int(np.count_nonzero(counts == 1)))
        self.unseen_share = min(_MOST_UNSEEN, once / tokens) if unseen.any() else 0.0
        self._unseen = unseen / max(1, unseen.sum())
        self._expected = np.where(unseen, once / max(1, unseen.sum()), np.maximum(counts, 1))

    def bias(self) -> np.ndarray:
        """The output bias that predicts each token as often as it comes, so that no training is spent on that.

        Returns:
            The logarithm of each probability, 0 for that of a uniform distribution; `(vocabulary_size,)` float32.
        """
        bias: np.ndarray = np.log(self._expected / self._expected.mean()).astype(np.float32)
        return bias

    def loss(self, loss: Any, logits: Any) -> Any:
        """What to minimise, so that something new keeps its probability: the loss if each target were it, so often.

        Args:
            loss: mean nats of the targets, a scalar.
            logits: `(batch_size, unroll_steps, vocabulary_size)`.

        Returns:
            A scalar: the cross-entropy with targets that leave `unseen_share` to the tokens that never occurred.
        """
        if not self.unseen_share:
            return loss
        unseen = ops.convert_to_tensor(self._unseen, logits.dtype)
        unseen_loss = ops.mean(ops.logsumexp(logits, axis=-1) - ops.matmul(logits, unseen))
        return (1 - self.unseen_share) * loss + self.unseen_share * unseen_loss
