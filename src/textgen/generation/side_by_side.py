"""The loop that writes texts side by side: computes a step, chooses a token for each text, and repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.sample import Sample, Writing
    from textgen.generation.samplers import Sampler
    from textgen.generation.spacing import Spacing
    from textgen.generation.step import LSTMRun


_NUMBERS_AT_ONCE = 2048


class SideBySide:
    """Writes texts that continue the same prompt.

    Args:
        run: has read all of the prompt but its last token; it is not modified.
        prompt_ids: the prompt's token ids, at least one.
        tokens: the vocabulary, in id order.
        sampler: chooses the tokens.
        writings: the texts.
        spacing: forbids tokens after white space; None if the model file does not say what the training text has there.
        scored: whether to sum up their nats.
    """

    def __init__(
        self,
        run: LSTMRun,
        prompt_ids: Sequence[int],
        tokens: Sequence[str],
        sampler: Sampler,
        writings: Sequence[Writing],
        *,
        spacing: Spacing | None,
        scored: bool,
    ) -> None:
        self._run = run.select([0] * len(writings))
        self._ids: NDArray[np.integer] = np.full(len(writings), prompt_ids[-1])
        self._tokens = tokens
        self._sampler = sampler
        self._writings = list(writings)
        self._spacing = spacing
        self._guarded = any(writing.guard is not None for writing in writings)
        self._scored = scored
        recent = [-1] * sampler.window + list(prompt_ids)
        self._recent = np.tile(recent[len(recent) - sampler.window :], (len(writings), 1))
        # Noise for the next steps, (steps, texts, vocabulary size). The number of steps must not depend on the number of
        # texts or on when they end, so that each text gets its random numbers in the same order.
        self._noise = np.empty((max(1, _NUMBERS_AT_ONCE // len(tokens)), len(writings), len(tokens)), np.float32)
        self._used = len(self._noise)

    def __iter__(self) -> Iterator[tuple[Sample, str]]:
        """Yields each piece with its text, until all texts have ended."""
        tokens = self._tokens
        while self._writings:
            self._advance()
            ended = False
            for writing, token_id in zip(self._writings, self._ids.tolist(), strict=True):
                sample = writing.sample
                yield sample, "" if sample.finish_reason else writing.add(tokens[token_id])
                ended = ended or sample.finish_reason is not None
            if ended:
                self._drop_ended()

    def _advance(self) -> None:
        """Reads the last token of each text and chooses the next one."""
        logits = self._run(self._ids)
        seen = logits.copy() if self._scored else logits
        logits[:, :FIRST_TOKEN_ID].fill(-np.inf)  # the padding and [UNK] are never written
        if self._spacing is not None:
            self._spacing(logits, self._ids)
        allowed = logits.copy() if self._guarded else logits
        self._ids = self._sampler(logits, self._next_noise(), self._recent)
        if self._guarded:
            self._choose_again(allowed)
        if self._scored:
            self._add_nats(seen)
        if self._sampler.window:
            self._recent = np.concatenate([self._recent[:, 1:], self._ids[:, np.newaxis]], axis=1)

    def _next_noise(self) -> NDArray[np.float32]:
        """The noise of the next step, (texts, vocabulary size)."""
        steps, _, vocabulary_size = self._noise.shape
        if self._used == steps:
            for row, writing in enumerate(self._writings):
                self._noise[:, row] = self._sampler.noise(writing.rng, (steps, vocabulary_size))
            self._used = 0
        self._used += 1
        noise: NDArray[np.float32] = self._noise[self._used - 1]
        return noise

    def _choose_again(self, allowed: NDArray[np.float32]) -> None:
        """Replaces tokens that would copy too much; ends texts for which no other token is left.

        Args:
            allowed: the logits of the last choice, -inf for what is forbidden; overwritten.
        """
        for row, writing in enumerate(self._writings):
            guard = writing.guard
            logits = allowed[row : row + 1]
            while guard is not None and not guard.allows(self._tokens[self._ids[row]]):
                logits[0, self._ids[row]] = -np.inf
                if np.isneginf(logits).all():
                    writing.sample.finish_reason = "max_copy"
                    break
                noise = self._sampler.noise(writing.rng, logits.shape)
                self._ids[row] = self._sampler(logits.copy(), noise, self._recent[row : row + 1])[0]

    def _add_nats(self, seen: NDArray[np.float32]) -> None:
        """Adds the nats of its next token to each text."""
        best = seen.max(axis=-1, keepdims=True)
        total = best[:, 0] + np.log(np.exp(seen - best).sum(axis=-1))
        nats = total - np.take_along_axis(seen, self._ids[:, np.newaxis], axis=-1)[:, 0]
        for writing, cost in zip(self._writings, nats.tolist(), strict=True):
            if writing.sample.finish_reason is None:
                writing.sample.nats += cost

    def _drop_ended(self) -> None:
        """Drops the texts that have ended."""
        rows = [row for row, writing in enumerate(self._writings) if writing.sample.finish_reason is None]
        self._writings = [self._writings[row] for row in rows]
        if rows:
            self._run = self._run.select(rows)
            self._ids, self._recent, self._noise = self._ids[rows], self._recent[rows], self._noise[:, rows]
