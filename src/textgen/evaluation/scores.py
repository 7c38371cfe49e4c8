"""Loss, perplexity and bits per character."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textgen.formatting import not_comparable

NOISE = 0.01
"""About the difference between two evaluations of equally good models, in nats per token."""


@dataclass(frozen=True)
class Scores:
    """How well a model predicts a text.

    Attributes:
        nats: the sum of -ln p over the scored tokens, where p is the probability that the model gave the token.
        tokens: the number of scored tokens.
        characters_per_token: the text's average, 1 for a char model. It makes char and word models comparable.
        unknown_share: the share of the text's tokens that are `[UNK]`. A model never has to spell these, so its bits per
            character are not comparable if the share is above 0.
    """

    nats: float
    tokens: int
    characters_per_token: float = 1.0
    unknown_share: float = 0.0

    @property
    def loss(self) -> float:
        """Mean nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(nats / tokens): the number of equally likely tokens that would be as hard to predict; may be infinite."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf

    @property
    def bits_per_character(self) -> float:
        """Nats / (ln 2 x characters)."""
        return self.loss / math.log(2) / self.characters_per_token

    def __str__(self) -> str:
        """The scores as one readable line."""
        remark = f" ({not_comparable(self.unknown_share)})" if self.unknown_share else ""
        return f"loss {self.loss:.3f}, perplexity {self.perplexity:.4g}, {self.bits_per_character:.3f} bits per character{remark}"
