"""Measures a model on a text of any length: how well it predicts the tokens, and how well it knows how sure it can be.

The text is read in blocks, and each block in parallel parts, as in the validation during training. The state of a part starts at
zero, so it first reads the tokens before it, which do not count. Each token after the first of the text counts once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, pairwise
from math import ceil
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from textgen.evaluation.interval import BlockSums, Interval
from textgen.evaluation.scores import Scores
from textgen.generation.reading import ScoredTokens, score
from textgen.machine import available_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.evaluation.evaluated_text import Block, EvaluatedText
    from textgen.generation.step import LSTMStep

T = TypeVar("T")

WARM_UP = 1000
"""The tokens that a part reads before those that count."""

_LEAST_COUNTED = 8 * WARM_UP
"""The fewest tokens that count in one of several parts; with fewer, the warm-up would cost too much."""

_ROWS = 32
"""The most parts that one thread reads in parallel. With more, a core is hardly faster, but the warm-up costs more."""

_MOST_PARTS = 4 * _ROWS
"""The most parts. There is at most one thread per core, because threads of one core would interrupt each other all the time."""

_TOKENS_AT_ONCE = _MOST_PARTS * _LEAST_COUNTED
"""The tokens in a block: many enough for long parts, and few enough for memory."""

CONFIDENCE_BINS = 15
"""The bins of the expected calibration error, as in its source; see `Bins`."""


@dataclass(frozen=True, eq=False)
class Bins:
    """The tokens of a text, in bins of equal width by the probability of the model's first guess.

    Attributes:
        counts: the number of tokens in each bin, `(CONFIDENCE_BINS,)`, int64.
        confidences: the mean probability of the first guess, likewise, float64; nan in an empty bin.
        accuracies: the share of the first guesses that are right, likewise.
    """

    counts: NDArray[np.int64]
    confidences: NDArray[np.float64]
    accuracies: NDArray[np.float64]

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, from 0 to 1.

        It is the mean over the tokens of the gap between confidence and accuracy in their bin (Guo et al., "On Calibration of Modern
        Neural Networks", 2017, section 2).
        """
        return float(np.nansum(self.counts * np.abs(self.confidences - self.accuracies)) / self.counts.sum())


@dataclass(frozen=True)
class Measures:
    """How well a model predicts a text.

    Attributes:
        scores: loss, perplexity and bits per character.
        accuracy: the share of the tokens that are the model's first guess, from 0 to 1.
        bins: how sure the model is of its first guess, and how often it is right.
        interval: the 95% interval of the bits per character, relative to them; None if the text is too short.
    """

    scores: Scores
    accuracy: float
    bins: Bins
    interval: Interval | None

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, from 0 to 1."""
        return self.bins.calibration_error


def measure_model(network: LSTMStep, text: EvaluatedText) -> Measures:
    """Measures a model on a text.

    Args:
        network: the network of the model.
        text: the text.

    Raises:
        DataError: if the text changes while it is read.
        TextgenError: if it cannot be read.
    """
    nats, blocks = 0.0, BlockSums()
    counts = np.zeros(CONFIDENCE_BINS, np.int64)
    confident, right = np.zeros((2, CONFIDENCE_BINS))
    for block in text.blocks(_TOKENS_AT_ONCE, WARM_UP):
        new = predict(network, block)
        nats += float(new.nats.sum(dtype=np.float64))
        blocks.add(new.nats, block.lengths[-len(new.nats) :])
        places = np.minimum((new.confidences * CONFIDENCE_BINS).astype(np.intp), CONFIDENCE_BINS - 1)
        counts += np.bincount(places, minlength=CONFIDENCE_BINS)
        confident += np.bincount(places, new.confidences, CONFIDENCE_BINS)
        right += np.bincount(places, new.right, CONFIDENCE_BINS)
    tokens = text.tokens - 1
    scores = Scores(nats, tokens, text.characters_per_token, text.unknown_share)
    with np.errstate(invalid="ignore"):  # 0 / 0 in an empty bin
        bins = Bins(counts, confident / counts, right / counts)
    return Measures(scores, float(right.sum() / tokens), bins, blocks.interval())


class Predictions(NamedTuple):
    """How well a model predicts each token of a block.

    Attributes:
        nats: minus the log-probability of the token, `(tokens,)`.
        confidences: the probability of the first guess, likewise.
        right: whether the first guess is the token, likewise.
    """

    nats: NDArray[np.float32]
    confidences: NDArray[np.float32]
    right: NDArray[np.bool_]


def predict(network: LSTMStep, block: Block, most_parts: int = _MOST_PARTS) -> Predictions:
    """Predicts the new tokens of a block, without the first of the text.

    Args:
        network: the network.
        block: the block. The tokens that it repeats warm up the first part.
        most_parts: the most parts to read in parallel.
    """
    ids = block.ids
    start = max(block.overlap, 1)
    parts = max(1, min(most_parts, _ROWS * available_cores(), (len(ids) - start) // _LEAST_COUNTED))
    edges = [start + (len(ids) - start) * number // parts for number in range(parts + 1)]
    texts = [ids[max(edge - 1 - WARM_UP, 0) : stop] for edge, stop in pairwise(edges)]
    rows = ceil(parts / ceil(parts / _ROWS))  # about as many in each thread
    running = [_start(score, network, texts[first : first + rows], top=1) for first in range(0, parts, rows)]
    found = chain.from_iterable(future.result() for future in running)
    counted = [
        _predictions(scores, ids[first:stop]) for scores, (first, stop) in zip(found, pairwise(edges), strict=True)
    ]
    return Predictions(*map(np.concatenate, zip(*counted, strict=True)))


def _start(function: Callable[..., T], *arguments: Any, **settings: Any) -> Future[T]:
    """Calls a function in a thread, which does not keep the program from ending at Ctrl-C.

    NumPy lets other threads run during its products, so several cores can be used.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments, **settings))
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _predictions(scores: ScoredTokens, ids: NDArray[np.int64]) -> Predictions:
    """Returns the predictions of the last tokens of a text, which have these ids."""
    assert scores.top_ids is not None and scores.top_nats is not None  # noqa: S101, PT018 - one guess was asked for
    last = slice(len(scores.nats) - len(ids), None)
    return Predictions(scores.nats[last], np.exp(-scores.top_nats[last, 0]), scores.top_ids[last, 0] == ids)
