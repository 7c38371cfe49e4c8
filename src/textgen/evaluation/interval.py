"""Estimates how far a score depends on the choice of the text: a block bootstrap.

The text is cut into blocks of consecutive tokens. Each of many resamples draws as many blocks as there are, with replacement,
and the interval covers the middle of their scores. Tokens are not drawn one by one, because neighbours are alike: a difficult
passage is difficult throughout, so single tokens would make the interval too narrow.

A text differs from place to place at every scale: the variance of the mean keeps growing with the length of the blocks, from a
few tokens to whole scenes (docs/evaluation.md). So the blocks are as long as possible, and there are 20 to 39 of them.

Source: Carlstein, "The use of subseries values for estimating the variance of a general statistic from a stationary sequence"
(1986), for blocks that do not overlap; Schmeiser, "Batch size effects in the analysis of simulation output" (1982), for their
number: with 10 to 30, an interval is nearly as good as with any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHORTEST = 64
"""The shortest block, in tokens."""

_FEWEST = 20
"""The fewest blocks. When there are twice as many, each two neighbours are joined."""

_RESAMPLES = 2000
_SEED = 0


class Interval(NamedTuple):
    """A 95% interval, relative to the score itself.

    Attributes:
        low: its lower end, such as 0.98.
        high: its upper end, such as 1.02.
        block_length: the number of tokens in a block.
    """

    low: float
    high: float
    block_length: int


class BlockSums:
    """The nats and the characters of the blocks of a text, which is read piece by piece."""

    def __init__(self) -> None:
        self._length = _SHORTEST
        self._sums = np.zeros((2, 0))
        self._rest = np.zeros((2, 0))

    def add(self, nats: NDArray[np.floating], characters: NDArray[np.integer]) -> None:
        """Adds the next tokens of the text.

        Args:
            nats: `(tokens,)`.
            characters: `(tokens,)`, their lengths.
        """
        rest = np.hstack([self._rest, np.array([nats, characters], np.float64)])
        while blocks := min(rest.shape[1] // self._length, 2 * _FEWEST - self._sums.shape[1]):
            new = rest[:, : blocks * self._length].reshape(2, blocks, self._length).sum(axis=-1)
            self._sums, rest = np.hstack([self._sums, new]), rest[:, blocks * self._length :]
            if self._sums.shape[1] == 2 * _FEWEST:
                self._sums, self._length = self._sums.reshape(2, _FEWEST, 2).sum(axis=-1), 2 * self._length
        self._rest = rest

    def interval(self) -> Interval | None:
        """Estimates the 95% interval of the ratio of nats to characters, relative to this ratio in the whole text.

        The tokens after the last whole block are left out.

        Returns:
            The interval; None if the text is too short for 20 blocks.
        """
        blocks = self._sums.shape[1]
        if blocks < _FEWEST:
            return None
        rng = np.random.default_rng(_SEED)
        nats, characters = self._sums[:, rng.integers(blocks, size=(_RESAMPLES, blocks))].sum(axis=-1)
        low, high = np.quantile(nats / characters, [0.025, 0.975]) * self._sums[1].sum() / self._sums[0].sum()
        return Interval(float(low), float(high), self._length)
