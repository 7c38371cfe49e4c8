"""One generated text, with its seed, its score and the reason why it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textgen.generation.ending import FinishReason


@dataclass(eq=False)
class Sample:
    """A generated text; it grows until it ends.

    Attributes:
        prompt: the prompt that it continues.
        seed: the seed of its random numbers.
        pieces: the text so far, one piece per token.
        nats: minus the sum of the tokens' log-probabilities under the model; 0 unless scores were requested.
        characters: the number of characters in its tokens; more than in the text if that ends within a token.
        finish_reason: why it ended; None until then.
    """

    prompt: str
    seed: int
    pieces: list[str] = field(default_factory=list)
    nats: float = 0.0
    characters: int = 0
    finish_reason: FinishReason | None = None

    @property
    def text(self) -> str:
        """The generated text, without the prompt."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """The number of generated tokens."""
        return len(self.pieces)

    @property
    def bits_per_character(self) -> float | None:
        """How unexpected the text is to the model that wrote it; None for an empty text."""
        return self.nats / math.log(2) / self.characters if self.characters else None
