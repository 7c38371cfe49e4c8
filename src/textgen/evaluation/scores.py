"""What a model's predictions are worth: loss, perplexity and bits per character of a sum of nats."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """The scores of a text.

    Attributes:
        nats: the sum of -ln p over the scored tokens, p being the probability the model gave each.
        tokens: how many tokens were scored.
        characters_per_token: of the text; 1 for a char model. It makes models of different tokens comparable.
        unknown_share: the share of the text's tokens that are `[UNK]`. Above 0, a model is spared the work of spelling
            them, and its bits per character compare with nothing else.
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
        """exp(nats / tokens): among how many equally likely tokens the model hesitates; infinite beyond a float."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf

    @property
    def bits_per_character(self) -> float:
        """Nats / (ln 2 x characters)."""
        return self.loss / math.log(2) / self.characters_per_token

    def __str__(self) -> str:
        """The scores as a line for people."""
        share = (
            f" (not comparable: {100 * self.unknown_share:.3g}% of the tokens are [UNK])" if self.unknown_share else ""
        )
        return f"loss {self.loss:.3f}, perplexity {self.perplexity:.4g}, {self.bits_per_character:.3f} bits per character{share}"
