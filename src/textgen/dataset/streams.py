"""Splits an array of ids into parallel streams and cuts these into windows; does not need TensorFlow.

In this example, a text is split into three streams. One step sees a window of each, and its targets are the ids shifted by
one::

    ids      a b c d e f g h i j k l m     batch_size 3, unroll_steps 2

    stream 0   a b | c d | (e)             step 0   tokens  a b   e f   i j
    stream 1   e f | g h | (i)                      targets b c   f g   j k
    stream 2   i j | k l | (m)             step 1   tokens  c d   g h   k l
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from textgen.corpus.cached_array import StoredArray
from textgen.planning import check_training_length

_ALL = slice(None)


@dataclass(frozen=True)
class PartOfIds:
    """The ids of a part of a text, which have the same positions as in the whole text.

    Attributes:
        tokens: the length of the whole text.
        ids: `(positions,)`, unsigned integers, possibly in a file.
        begin: the position of the first of them.
    """

    tokens: int
    ids: np.ndarray | StoredArray = field(default_factory=lambda: np.empty(0, np.uint8))
    begin: int = 0

    def __len__(self) -> int:
        """The length of the whole text."""
        return self.tokens

    def __getitem__(self, positions: slice) -> np.ndarray:
        """Returns the ids at some positions of the part."""
        return self.ids[positions.start - self.begin : positions.stop - self.begin]


@dataclass(frozen=True)
class Streams:
    """The training windows of a text: each is a pure function of seed, epoch and step.

    Each epoch starts at its own offset, drawn from seed and epoch, so that the windows are not always cut at the same
    positions. For this, up to `unroll_steps` tokens are set aside before the rest is cut into whole windows. So an epoch has
    at least `unroll_steps` possible offsets, unless the text is too short for that. The tokens left out differ from epoch
    to epoch.

    Attributes:
        ids: `(tokens,)`, unsigned integers, possibly in a file; or a part of them.
        batch_size: the number of parallel streams.
        unroll_steps: the number of tokens in a window.
        seed: decides the offsets of the epochs.

    Raises:
        DataError: if the text is too short for one step.
    """

    ids: np.ndarray | StoredArray | PartOfIds
    batch_size: int
    unroll_steps: int
    seed: int

    def __post_init__(self) -> None:
        check_training_length(len(self.ids), self.batch_size, self.unroll_steps)

    @property
    def steps_per_epoch(self) -> int:
        """The number of whole windows in each stream."""
        spare = (len(self.ids) - self.unroll_steps) // self.tokens_per_step
        return spare if spare > 0 else (len(self.ids) - 1) // self.tokens_per_step

    @property
    def tokens_per_step(self) -> int:
        """The number of training tokens in one step."""
        return self.batch_size * self.unroll_steps

    def offset(self, epoch: int) -> int:
        """Returns the position in the text at which an epoch starts."""
        unused = len(self.ids) - 1 - self.steps_per_epoch * self.tokens_per_step
        return int(np.random.default_rng((self.seed, epoch)).integers(unused + 1))

    def part(self, rows: slice) -> tuple[int, int]:
        """Returns the positions in the text, from the first to after the last, that the windows of some streams need.

        Args:
            rows: the streams, without a step.
        """
        first, last, _ = rows.indices(self.batch_size)
        length = self.steps_per_epoch * self.unroll_steps
        unused = len(self.ids) - 1 - self.steps_per_epoch * self.tokens_per_step
        return first * length, last * length + unused + 1

    def window(self, epoch: int, step: int, rows: slice = _ALL) -> tuple[np.ndarray, np.ndarray]:
        """Returns the tokens and targets of one step.

        Args:
            epoch: the epoch, from 0.
            step: the step within the epoch, below `steps_per_epoch`.
            rows: the streams to return.

        Returns:
            Two arrays `(rows, unroll_steps)` int32.
        """
        starts = self.offset(epoch) + np.arange(self.batch_size)[rows] * self.steps_per_epoch * self.unroll_steps
        begin = starts + step * self.unroll_steps
        ids = np.stack([self.ids[start : start + self.unroll_steps + 1] for start in begin]).astype(np.int32)
        return ids[:, :-1], ids[:, 1:]


VALIDATION_WINDOW = 64
"""The number of tokens in a validation window. It does not affect the scores, because the state is carried on."""

_WARM_UP = 128
"""The tokens that a validation stream reads before its first scored token, to warm up its state."""

_LEAST_SCORED = 512
"""The fewest scored tokens in a validation stream; with fewer, the warm-up would cost too much."""


@dataclass(frozen=True)
class ValidationWindow:
    """One window of the validation streams.

    Attributes:
        tokens: `(streams, VALIDATION_WINDOW)` int32, padded with 0.
        targets: `(streams, VALIDATION_WINDOW)` int32, padded with 0.
        mask: `(streams, VALIDATION_WINDOW)` float32, 1 where the target is scored.
    """

    tokens: np.ndarray
    targets: np.ndarray
    mask: np.ndarray


def validation_streams(tokens: int, most: int) -> int:
    """Returns the number of streams in which a text is evaluated.

    Args:
        tokens: the text's length in tokens.
        most: the maximum number of streams.
    """
    return max(1, min(most, tokens // _LEAST_SCORED))


def validation_windows(ids: np.ndarray | StoredArray, streams: int) -> Iterator[ValidationWindow]:
    """Splits a text into parallel streams in which every token after the first is scored exactly once.

    Each stream starts a little before its part of the text, to warm up its state; these tokens are not scored.

    Args:
        ids: `(tokens,)`, at least two; read one window at a time.
        streams: the number of streams, at most that of `validation_streams`.

    Yields:
        The windows in order, all of the same shape. The state is carried from each to the next.
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
