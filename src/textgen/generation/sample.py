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
        number: its place among the samples of one call, from 0.
        pieces: the text so far, one piece per token.
        nats: minus the sum of the tokens' log-probabilities under the model; 0 unless scores were requested.
        unwritten: the number of characters of its last token after the end of the text.
        finish_reason: why it ended; None until then.
    """

    prompt: str
    seed: int
    number: int = 0
    pieces: list[str] = field(default_factory=list)
    nats: float = 0.0
    unwritten: int = 0
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
        characters = len(self.text) + self.unwritten
        return self.nats / math.log(2) / characters if characters else None
