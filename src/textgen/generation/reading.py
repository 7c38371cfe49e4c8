"""Reads many texts of different lengths in parallel: for the states behind them, or to score their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from textgen.generation.step import log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.layers import Floats
    from textgen.generation.step import LSTMRun, LSTMStep

MOST_ROWS = 64
"""The most texts in one batch: with more, the states no longer fit in a core's cache."""


@dataclass(frozen=True, eq=False)
class ScoredTokens:
    """How likely a model finds the tokens of a text.

    Attributes:
        nats: minus the log-probability of each token but the first, given all tokens before it; `(tokens - 1,)`, float32.
    """

    nats: Floats


def read_states(
    network: LSTMStep, texts: Sequence[Sequence[int]], states: Sequence[Floats | None]
) -> list[Floats | None]:
    """Reads texts in parallel, without computing logits.

    Args:
        network: the network.
        texts: the token ids of each text.
        states: the state from which each text is read, a result of `LSTMRun.state`; None for zeros.

    Returns:
        The state behind each text, likewise.
    """
    found = list(states)
    for group, ids, lengths in _batches(texts, list(map(len, texts))):
        whole = network.start(len(group))
        for column, index in enumerate(group):
            if (state := states[index]) is not None:
                whole.restore(column, state)
        for start, stop, run in _stretches(whole, lengths):
            run.read(ids[start:stop, : run.batch])
            for column in range(run.batch):
                if lengths[column] == stop:
                    found[group[column]] = run.state(column)
    return found


def score(network: LSTMStep, texts: Sequence[Sequence[int]]) -> list[ScoredTokens]:
    """Reads texts in parallel, from zero states, and scores their tokens.

    Args:
        network: the network.
        texts: the token ids of each text.

    Returns:
        The scores of each text, in the order of the texts.
    """
    found = [ScoredTokens(np.empty(max(len(text) - 1, 0), np.float32)) for text in texts]
    for group, ids, lengths in _batches(texts, [len(text) - 1 for text in texts]):
        nats = np.empty((lengths[0], len(group)), np.float32)
        for start, stop, run in _stretches(network.start(len(group)), lengths):
            columns = np.arange(run.batch)
            for position in range(start, stop):
                logits = run(ids[position, : run.batch])
                nats[position, : run.batch] = log_total(logits) - logits[columns, ids[position + 1, : run.batch]]
        for column, index in enumerate(group):
            found[index].nats[:] = nats[: lengths[column], column]
    return found


def _batches(
    texts: Sequence[Sequence[int]], lengths: Sequence[int]
) -> Iterator[tuple[Sequence[int], NDArray[np.intp], Sequence[int]]]:
    """Puts texts into batches, the longest first.

    Args:
        texts: the token ids of each text.
        lengths: the number of tokens to read of each text; texts of which none is read are left out.

    Yields:
        The indexes of some texts, their ids with padding at the end, `(longest, texts)`, and their lengths.
    """
    order = sorted((index for index in range(len(texts)) if lengths[index] > 0), key=lambda index: -lengths[index])
    for first in range(0, len(order), MOST_ROWS):
        group = order[first : first + MOST_ROWS]
        ids = np.zeros((len(texts[group[0]]), len(group)), np.intp)
        for column, index in enumerate(group):
            ids[: len(texts[index]), column] = texts[index]
        yield group, ids, [lengths[index] for index in group]


def _stretches(run: LSTMRun, lengths: Sequence[int]) -> Iterator[tuple[int, int, LSTMRun]]:
    """Splits the reading of a batch where texts end.

    Args:
        run: reads the texts.
        lengths: the number of tokens to read of each text, the longest first.

    Yields:
        The start and the end of a stretch, and the run that reads it, without the texts that have ended.
    """
    start = 0
    for stop in sorted(set(lengths)):
        if (width := sum(length >= stop for length in lengths)) < run.batch:
            run = run.resize(width)
        yield start, stop, run
        start = stop
