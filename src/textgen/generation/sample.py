"""One text that a model writes: what it is so far, and what decides how it goes on; knows nothing of networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

# Imported here, and not by NumPy at its first use: its import can swallow a Ctrl-C, and would do so in mid-text.
from numpy.random import default_rng

from textgen.generation.ending import Ending, FinishReason

if TYPE_CHECKING:
    from textgen.config import SamplingConfig
    from textgen.corpus import Joiner
    from textgen.generation.copy_guard import CopyGuard


@dataclass(eq=False)
class Sample:
    """A text while it is written, and when it is done.

    Attributes:
        prompt: what it continues.
        seed: of its random numbers.
        pieces: the text so far, a piece a token.
        nats: minus the log-probability of its tokens, as the model sees them, summed; stays 0 where nobody asked for it.
        characters: of its tokens; more than those of the text where it ends within a token.
        finish_reason: why it ended; None while it is written.
    """

    prompt: str
    seed: int
    pieces: list[str] = field(default_factory=list)
    nats: float = 0.0
    characters: int = 0
    finish_reason: FinishReason | None = None

    @property
    def text(self) -> str:
        """What was written, without the prompt."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """How many tokens were written."""
        return len(self.pieces)

    @property
    def bits_per_character(self) -> float | None:
        """How unexpected the text is to the model that wrote it; None for an empty text."""
        return self.nats / math.log(2) / self.characters if self.characters else None


class Writing:
    """A sample with the parts that it needs while it is written.

    Args:
        sample: which.
        config: how it is written.
        joiner: makes pieces of its tokens.
        guard: keeps it from copying, if anything does.
    """

    def __init__(self, sample: Sample, config: SamplingConfig, joiner: Joiner, guard: CopyGuard | None) -> None:
        self.sample = sample
        self.rng = default_rng(sample.seed)
        self.guard = guard
        self._joiner = joiner
        self._length = config.length
        self._ending = Ending(config.until, config.lines) if config.until or config.lines is not None else None

    def add(self, token: str) -> str:
        """Takes the next token.

        Args:
            token: as the vocabulary has it.

        Returns:
            What it adds to the text; where the text ends, `sample.finish_reason` says why.
        """
        sample = self.sample
        piece = self._joiner.add(token)
        sample.characters += len(piece)
        if self._ending is not None:
            piece, sample.finish_reason = self._ending.cut(piece)
        if self.guard is not None:
            self.guard.add(token)
        sample.pieces.append(piece)
        if sample.finish_reason is None and len(sample.pieces) == self._length:
            sample.finish_reason = "length"
        return piece
