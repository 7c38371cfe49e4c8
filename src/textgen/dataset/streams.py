"""Folds an array of ids into contiguous streams and cuts them into windows; knows nothing of text, files or TensorFlow.

Three streams of a text read side by side; one step sees a window of each, and its targets are the same ids, one further::

    ids      a b c d e f g h i j k l m     batch_size 3, unroll_steps 2

    stream 0   a b | c d | (e)             step 0   tokens  a b   e f   i j
    stream 1   e f | g h | (i)                      targets b c   f g   j k
    stream 2   i j | k l | (m)             step 1   tokens  c d   g h   k l
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from textgen.errors import DataError, named


@dataclass(frozen=True)
class Streams:
    """The training windows of a text: each a pure function of seed, epoch and step.

    Each epoch begins at another place, drawn from seed and epoch, so that windows are not always cut at the same places.
    To leave room for that, up to a window's length of text is set aside before the rest is cut into whole windows: an
    epoch begins at one of at least `unroll_steps` places. Only a text too short for that, even in one step, begins at
    fewer. What an epoch leaves out is other text in other epochs.

    Attributes:
        ids: `(tokens,)`, unsigned integers.
        batch_size: how many streams are read side by side.
        unroll_steps: the tokens of a window.
        seed: fixes where epochs begin.

    Raises:
        DataError: when the text is too short for one step.
    """

    ids: np.ndarray
    batch_size: int
    unroll_steps: int
    seed: int

    def __post_init__(self) -> None:
        if self.steps_per_epoch < 1:
            tokens = len(self.ids)
            fitting = (tokens - 1) // self.unroll_steps
            if fitting > 0:
                advice = f"lower {named('batch_size')} to {fitting}, or give more text"
            elif tokens > 1:
                advice = (
                    f"set {named('batch_size')} to 1 and {named('unroll_steps')} to {tokens - 1}, or give more text"
                )
            else:
                advice = "give more text"
            raise DataError(
                f"the training text is too short: it has {tokens} tokens, and one step of {self.batch_size} "
                f"x {self.unroll_steps} tokens needs {self.batch_size * self.unroll_steps + 1}; {advice}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """The whole windows of each stream."""
        spare = (len(self.ids) - self.unroll_steps) // self.tokens_per_step
        return spare if spare > 0 else (len(self.ids) - 1) // self.tokens_per_step

    @property
    def tokens_per_step(self) -> int:
        """The tokens learned from in one step."""
        return self.batch_size * self.unroll_steps

    def offset(self, epoch: int) -> int:
        """Where in the text an epoch begins."""
        unused = len(self.ids) - 1 - self.steps_per_epoch * self.tokens_per_step
        return int(np.random.default_rng((self.seed, epoch)).integers(unused + 1))

    def window(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens and targets of one step.

        Args:
            epoch: from 0.
            step: within the epoch, below `steps_per_epoch`.

        Returns:
            Two arrays `(batch_size, unroll_steps)` int32.
        """
        starts = self.offset(epoch) + np.arange(self.batch_size) * self.steps_per_epoch * self.unroll_steps
        begin = starts + step * self.unroll_steps
        rows = np.stack([self.ids[start : start + self.unroll_steps + 1] for start in begin]).astype(np.int32)
        return rows[:, :-1], rows[:, 1:]


VALIDATION_WINDOW = 64
"""The tokens of a validation window. It does not change the scores, since the state is carried from one to the next."""

_WARM_UP = 128
"""The tokens that a validation stream reads before the first that is scored, so that its state is as if it had read all."""

_LEAST_SCORED = 512
"""The tokens that make a validation stream worth its warm-up."""


@dataclass(frozen=True)
class ValidationWindow:
    """One window of the validation streams.

    Attributes:
        tokens: `(streams, VALIDATION_WINDOW)` int32, padded with 0.
        targets: likewise.
        mask: likewise, float32, 1 where the target is to be scored.
    """

    tokens: np.ndarray
    targets: np.ndarray
    mask: np.ndarray


def validation_streams(tokens: int, most: int) -> int:
    """How many streams a text is scored in.

    Args:
        tokens: the text's length.
        most: the most streams.
    """
    return max(1, min(most, tokens // _LEAST_SCORED))


def validation_windows(ids: np.ndarray, streams: int) -> Iterator[ValidationWindow]:
    """Scores a whole text in parallel as if it were read in one go: every token after the first is a target exactly once.

    The text is cut into as many parts as there are streams. Each stream begins a little before its part, and what it reads there is
    not scored.

    Args:
        ids: `(tokens,)`, at least two; read a window at a time.
        streams: how many, at most as many as `validation_streams` gives.

    Yields:
        The windows in order, all of the same shape; the state is carried from each to the next.
    """
    edges = [len(ids) * number // streams for number in range(streams + 1)]
    parts = [(max(0, start - _WARM_UP), start, stop) for start, stop in pairwise(edges)]
    longest = max(stop - begin for begin, _, stop in parts)
    for offset in range(0, longest - 1, VALIDATION_WINDOW):
        padded = np.zeros((streams, VALIDATION_WINDOW + 1), np.int32)
        mask = np.zeros((streams, VALIDATION_WINDOW), np.float32)
        for row, (begin, start, stop) in enumerate(parts):
            known = ids[begin + offset : min(stop, begin + offset + VALIDATION_WINDOW + 1)]
            padded[row, : len(known)] = known
            unscored = max(0, start - begin - offset - 1)
            mask[row, unscored : max(0, len(known) - 1)] = 1
        yield ValidationWindow(padded[:, :-1], padded[:, 1:], mask)
