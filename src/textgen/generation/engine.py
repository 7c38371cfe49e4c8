"""The batch engine: computes a step for all texts of a batch, chooses a token for each, and repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

# Imported here, and not by NumPy at its first use: that import can swallow a Ctrl-C, and would do so in the middle of a text.
from numpy.random import default_rng

from textgen.corpus import FIRST_TOKEN_ID
from textgen.generation.ending import Ending
from textgen.generation.step import log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.config import SamplingConfig
    from textgen.corpus import Joiner
    from textgen.generation.copy_guard import CopyGuard
    from textgen.generation.sample import Sample
    from textgen.generation.samplers import Sampler
    from textgen.generation.spacing import Spacing
    from textgen.generation.step import LSTMRun

_NUMBERS_AT_ONCE = 2048
"""The random numbers to draw at once for each text: one call per token would be slower."""


class Row:
    """One row of a batch: a sample, and what is needed to continue it.

    Args:
        sample: the sample; `add` extends it.
        config: the settings.
        joiner: turns its tokens into text.
        guard: prevents copies; None if copying is not limited.
    """

    def __init__(self, sample: Sample, config: SamplingConfig, joiner: Joiner, guard: CopyGuard | None) -> None:
        self.sample = sample
        self.rng = default_rng(sample.seed)
        self.guard = guard
        self._joiner = joiner
        self._length = config.length
        self._ending = Ending(config.until, config.lines) if config.until or config.lines is not None else None

    def add(self, token: str) -> str:
        """Adds the next token to the sample, and sets its `finish_reason` if the text ends with it.

        Args:
            token: a token of the vocabulary.

        Returns:
            The text that the token adds.
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


class BatchEngine:
    """Writes texts that continue the same prompt.

    All rows are admitted at the start. Each step adds one token to each row, and then the rows that have ended are retired.

    Args:
        run: has read the whole prompt except its last token; it is not modified.
        prompt_ids: the token ids of the prompt, at least one.
        tokens: the vocabulary, in id order.
        sampler: chooses the tokens.
        rows: the texts.
        spacing: forbids tokens after white space; None if the model has no `after_white_space`.
        scored: whether to sum the samples' nats.
    """

    def __init__(
        self,
        run: LSTMRun,
        prompt_ids: Sequence[int],
        tokens: Sequence[str],
        sampler: Sampler,
        rows: Sequence[Row],
        *,
        spacing: Spacing | None,
        scored: bool,
    ) -> None:
        self._run = run.select([0] * len(rows))
        self._ids: NDArray[np.integer] = np.full(len(rows), prompt_ids[-1])
        self._tokens = tokens
        self._sampler = sampler
        self._rows = list(rows)
        self._spacing = spacing
        self._guarded = any(row.guard is not None for row in rows)
        self._scored = scored
        recent = [-1] * sampler.window + list(prompt_ids)
        self._recent = np.tile(recent[len(recent) - sampler.window :], (len(rows), 1))
        # Noise for the next steps, (steps, batch, vocabulary_size). The number of steps must not depend on the number of
        # texts or on when they end, so that each text gets its random numbers in the same order.
        self._noise = np.empty((max(1, _NUMBERS_AT_ONCE // len(tokens)), len(rows), len(tokens)), np.float32)
        self._used = len(self._noise)

    def __iter__(self) -> Iterator[tuple[Sample, str]]:
        """Yields each piece with its sample, until all texts have ended."""
        tokens = self._tokens
        while self._rows:
            self._step()
            ended = False
            for row, token_id in zip(self._rows, self._ids.tolist(), strict=True):
                sample = row.sample
                yield sample, "" if sample.finish_reason else row.add(tokens[token_id])
                ended = ended or sample.finish_reason is not None
            if ended:
                self._retire()

    def _step(self) -> None:
        """Reads the last token of each text and chooses the next one."""
        logits = self._run(self._ids)
        unchanged = logits.copy() if self._scored else logits
        logits[:, :FIRST_TOKEN_ID].fill(-np.inf)  # padding and [UNK] are never written
        if self._spacing is not None:
            self._spacing(logits, self._ids)
        allowed = logits.copy() if self._guarded else logits
        self._ids = self._sampler(logits, self._next_noise(), self._recent)
        if self._guarded:
            self._replace_copies(allowed)
        if self._scored:
            self._score(unchanged)
        if self._sampler.window:
            self._recent = np.concatenate([self._recent[:, 1:], self._ids[:, np.newaxis]], axis=1)

    def _next_noise(self) -> NDArray[np.float32]:
        """Returns the noise of the next step, `(batch, vocabulary_size)`."""
        steps, _, vocabulary_size = self._noise.shape
        if self._used == steps:
            for index, row in enumerate(self._rows):
                self._noise[:, index] = self._sampler.noise(row.rng, (steps, vocabulary_size))
            self._used = 0
        self._used += 1
        noise: NDArray[np.float32] = self._noise[self._used - 1]
        return noise

    def _replace_copies(self, allowed: NDArray[np.float32]) -> None:
        """Replaces tokens that would copy too much, and ends texts for which no other token is left.

        Args:
            allowed: `(batch, vocabulary_size)`, the logits from which the tokens were chosen, -inf for a forbidden
                token; overwritten.
        """
        for index, row in enumerate(self._rows):
            logits = allowed[index : index + 1]
            while row.guard is not None and not row.guard.allows(self._tokens[self._ids[index]]):
                logits[0, self._ids[index]] = -np.inf
                if np.isneginf(logits).all():
                    row.sample.finish_reason = "max_copy"
                    break
                noise = self._sampler.noise(row.rng, logits.shape)
                self._ids[index] = self._sampler(logits.copy(), noise, self._recent[index : index + 1])[0]

    def _score(self, logits: NDArray[np.float32]) -> None:
        """Adds the nats of the chosen tokens to the samples.

        Args:
            logits: `(batch, vocabulary_size)`, as the model computed them.
        """
        nats = log_total(logits) - np.take_along_axis(logits, self._ids[:, np.newaxis], axis=-1)[:, 0]
        for row, cost in zip(self._rows, nats.tolist(), strict=True):
            if row.sample.finish_reason is None:
                row.sample.nats += cost

    def _retire(self) -> None:
        """Removes the texts that have ended from the batch."""
        unfinished = [index for index, row in enumerate(self._rows) if row.sample.finish_reason is None]
        self._rows = [self._rows[index] for index in unfinished]
        if unfinished:
            self._run = self._run.select(unfinished)
            self._ids = self._ids[unfinished]
            self._recent = self._recent[unfinished]
            self._noise = self._noise[:, unfinished]
