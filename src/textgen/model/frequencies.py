"""Gives a new model the frequencies of the tokens in its text, and a probability for tokens that are not in it.

In a text with many words that occur only once, new words will soon follow. But the training text contains no new words, so a model
learns that none ever come. After 55,000 words of a novel, each new word then costs 15 nats; with a fair share of the probability, it
costs 12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from textgen.corpus import FIRST_TOKEN_ID, UNKNOWN_ID
from textgen.model.replication import part_of_mean

_MOST_UNSEEN = 0.1
"""The maximum of the estimate, which is unreliable for a short text in which most words occur once."""


class Frequencies:
    """The token frequencies of a text, unseen tokens included.

    A token is unseen if it is in the vocabulary but not in the text; with an open vocabulary, `[UNK]` can be one. The
    unseen tokens share one probability, which is estimated as the fraction of the text's tokens that occur exactly once
    (Good 1953, "The population frequencies of species"; Turing's estimate).

    Args:
        counts: how often each id occurs, `(vocabulary_size,)`.
        open_vocabulary: whether other texts can contain tokens that the vocabulary lacks, which are read as `[UNK]`. True for
            words, whose vocabulary comes from the training text. False for characters, whose vocabulary comes from the
            validation text too.

    Attributes:
        seen: 1 for each token that occurs, else 0, `(vocabulary_size,)` float32. The vectors of the others start at zero.
        unseen_share: the probability that the next token is an unseen one; 0 if there are none.
    """

    def __init__(self, counts: np.ndarray, *, open_vocabulary: bool) -> None:
        first = UNKNOWN_ID if open_vocabulary else FIRST_TOKEN_ID
        unseen = (counts == 0) & (np.arange(len(counts)) >= first)
        self.seen = (counts > 0).astype(np.float32)
        tokens, once = max(1, int(counts.sum())), max(1, int(np.count_nonzero(counts == 1)))
        self.unseen_share = min(_MOST_UNSEEN, once / tokens) if unseen.any() else 0.0
        self._unseen = unseen / max(1, unseen.sum())
        self._expected = np.where(unseen, once / max(1, unseen.sum()), np.maximum(counts, 1))

    def bias(self) -> np.ndarray:
        """Returns the output bias with which a new model predicts each token as often as it occurs.

        Returns:
            The logarithms of the probabilities, shifted so that a uniform distribution gives 0; `(vocabulary_size,)` float32.
        """
        bias: np.ndarray = np.log(self._expected / self._expected.mean()).astype(np.float32)
        return bias

    def loss(self, loss: Any, logits: Any) -> Any:
        """Returns the loss to minimise, in which unseen tokens keep their probability.

        Args:
            loss: mean nats of the targets, a scalar.
            logits: `(batch_size, unroll_steps, vocabulary_size)`.

        Returns:
            A scalar: the cross-entropy with soft targets that give `unseen_share` to the unseen tokens and the rest to the
            true target. Without unseen tokens, it is `loss` itself.
        """
        if not self.unseen_share:
            return loss
        unseen = ops.convert_to_tensor(self._unseen, logits.dtype)
        unseen_loss = part_of_mean(ops.mean(ops.logsumexp(logits, axis=-1) - ops.matmul(logits, unseen)))
        return (1 - self.unseen_share) * loss + self.unseen_share * unseen_loss
