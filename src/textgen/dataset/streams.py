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

import numpy as np

from textgen.errors import DataError


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
                advice = f"lower --batch_size to {fitting}, or give more text"
            elif tokens > 1:
                advice = f"set --batch_size to 1 and --unroll_steps to {tokens - 1}, or give more text"
            else:
                advice = "give more text"
            raise DataError(
                f"the training text is too short: it has {tokens} tokens, and one step of {self.batch_size} streams "
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


@dataclass(frozen=True)
class ValidationWindow:
    """One window of the validation streams.

    Attributes:
        tokens: `(streams, unroll_steps)` int32, padded with 0.
        targets: likewise.
        mask: `(streams, unroll_steps)` float32, 1 where the target is to be scored.
    """

    tokens: np.ndarray
    targets: np.ndarray
    mask: np.ndarray


def validation_shape(tokens: int, batch_size: int, unroll_steps: int) -> tuple[int, int]:
    """The shape of a text's validation windows.

    Args:
        tokens: the text's length.
        batch_size: the most streams; a short text is folded into fewer, each at least a window long.
        unroll_steps: the tokens of a window.

    Returns:
        `(streams, unroll_steps)`.
    """
    return max(1, min(batch_size, tokens // (unroll_steps + 1))), unroll_steps


def validation_windows(ids: np.ndarray, batch_size: int, unroll_steps: int) -> Iterator[ValidationWindow]:
    """Folds a whole text into contiguous streams: every token after a stream's first is a target exactly once.

    Args:
        ids: `(tokens,)`, at least two; read a window at a time.
        batch_size: the most streams.
        unroll_steps: the tokens of a window.

    Yields:
        The windows in order, all of the shape that `validation_shape` gives.
    """
    shape = validation_shape(len(ids), batch_size, unroll_steps)
    streams = np.array_split(ids, shape[0])  # views: the ids stay on disk until their window comes
    for begin in range(0, len(streams[0]) - 1, unroll_steps):
        padded = np.zeros((shape[0], unroll_steps + 1), np.int32)
        mask = np.zeros(shape, np.float32)
        for row, stream in enumerate(streams):
            known = stream[begin : begin + unroll_steps + 1]  # never empty: streams differ by one token at most
            padded[row, : len(known)] = known
            mask[row, : len(known) - 1] = 1
        yield ValidationWindow(padded[:, :-1], padded[:, 1:], mask)
