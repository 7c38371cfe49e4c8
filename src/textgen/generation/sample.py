"""One generated text, with its seed, its score and the reason why it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textgen.generation.ending import FinishReason
    from textgen.generation.row import Row


class TokenScore(NamedTuple):
    """How likely a model finds a token where it stands, and which others it finds likeliest there.

    Attributes:
        nats: minus its log-probability.
        alternatives: the likeliest tokens, the likeliest first: the text that each would add there, and its nats.
    """

    nats: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(eq=False)
class Sample:
    """A generated text; it grows until it ends.

    Attributes:
        prompt: the prompt that it continues.
        seed: the seed of its random numbers.
        number: its place among the samples of one call, from 0.
        pieces: the text so far, one piece per token.
        scores: one per piece, if alternatives were requested.
        nats: minus the sum of the tokens' log-probabilities under the model; 0 unless scores were requested.
        unwritten: the number of characters of its last token after the end of the text.
        finish_reason: why it ended; None until then.
    """

    prompt: str
    seed: int
    number: int = 0
    pieces: list[str] = field(default_factory=list)
    scores: list[TokenScore] = field(default_factory=list)
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
    def nats_per_token(self) -> float:
        """How unexpected its tokens are to the model on average; infinite for an empty text."""
        return self.nats / self.tokens if self.tokens else math.inf

    def end(self, row: Row) -> None:
        """Takes the score and the finish reason of its row, which has ended."""
        self.nats, self.finish_reason = row.nats, row.finish_reason

    @property
    def bits_per_character(self) -> float | None:
        """How unexpected the text is to the model that wrote it; None for an empty text."""
        characters = len(self.text) + self.unwritten
        return self.nats / math.log(2) / characters if characters else None
