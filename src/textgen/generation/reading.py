"""Reads many texts of different lengths in parallel: for the states behind them, or to score their tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID
from textgen.generation.alternatives import likeliest
from textgen.generation.step import log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.layers import Floats
    from textgen.generation.step import LSTMRun, LSTMStep

Ids: TypeAlias = "Sequence[int] | NDArray[np.integer]"

MOST_ROWS = 64
"""The most texts in one batch: with more, the states no longer fit in a core's cache."""


_LOGITS_AT_ONCE = 1 << 18
"""The logits to score at once. With more, their memory would leave a core's cache."""

_TOKENS_AT_ONCE = 256
"""The most tokens of each text in one part of the reading."""


@dataclass(frozen=True, eq=False)
class ScoredTokens:
    """How likely a model finds the tokens of a text.

    A model never writes the padding and `[UNK]`. It gives them a probability all the same, so that the probabilities of the
    other tokens add up to less than 1. But nobody can read these two as alternatives. So ranks and alternatives leave them
    out, and neither has a rank itself.

    Attributes:
        nats: minus the log-probability of each token but the first, given all tokens before it; `(tokens - 1,)`, float32.
        ranks: the rank of each token but the first among the tokens that a model writes: 1 is the likeliest, and equally
            likely ones share a rank. 0 for the padding and `[UNK]`. `(tokens - 1,)`; None unless asked for.
        top_ids: the likeliest tokens in the place of each token but the first, the likeliest first, `(tokens - 1, top)`, or fewer
            than `top` if the vocabulary has fewer; None unless asked for.
        top_nats: minus their log-probabilities, likewise.
        after: minus the log-probability of each token of the vocabulary after the last token of the text,
            `(vocabulary_size,)`; None unless asked for, and for an empty text.
        totals: for each temperature t, the logarithm of the sum of p^(1/t) over the tokens that a model writes, with their
            probabilities p in the place of each token but the first, `(tokens - 1, temperatures)`; None unless asked for. A token is
            written with the probability p^(1/t) / exp(total).
    """

    nats: Floats
    ranks: NDArray[np.int32] | None = None
    top_ids: NDArray[np.int32] | None = None
    top_nats: Floats | None = None
    after: Floats | None = None
    totals: Floats | None = None


def read_states(
    network: LSTMStep,
    texts: Sequence[Ids],
    states: Sequence[Floats | None],
    *,
    check: Callable[[], None] = lambda: None,
) -> list[Floats | None]:
    """Reads texts in parallel, without computing logits.

    Args:
        network: the network.
        texts: the token ids of each text.
        states: the state from which each text is read, a result of `LSTMRun.state`; None for zeros.
        check: as in `score`.

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
            for first in range(start, stop, _TOKENS_AT_ONCE):
                check()
                run.read(ids[first : min(first + _TOKENS_AT_ONCE, stop), : run.batch])
            for column in range(run.batch):
                if lengths[column] == stop:
                    found[group[column]] = run.state(column)
    return found


def score(
    network: LSTMStep,
    texts: Sequence[Ids],
    *,
    top: int | None = None,
    after: bool = False,
    temperatures: Sequence[float] = (),
    check: Callable[[], None] = lambda: None,
) -> list[ScoredTokens]:
    """Reads texts in parallel, from zero states, and scores their tokens.

    Besides the result, this needs a few megabytes, or a few times the logits of one token of each text, however long the texts are.

    Args:
        network: the network.
        texts: the token ids of each text.
        top: the number of alternatives to each token, which also has a rank then; None for neither.
        after: whether to compute the probabilities after the end of each text.
        temperatures: the temperatures for `ScoredTokens.totals`, above 0.
        check: is called before each part of the reading. To end the computation, it raises an exception.

    Returns:
        The scores of each text, in the order of the texts.
    """
    found = [_unscored(network.vocabulary_size, len(text), top, len(temperatures), after=after) for text in texts]
    for group, ids, lengths in _batches(texts, [len(text) - 1 + after for text in texts]):
        for start, stop, run in _stretches(network.start(len(group)), lengths):
            at_once = min(max(_LOGITS_AT_ONCE // network.vocabulary_size // run.batch, 1), _TOKENS_AT_ONCE)
            scores = [found[index] for index in group[: run.batch]]
            for first in range(start, stop, at_once):
                check()
                last = min(first + at_once, stop)
                logits = run.read_with_logits(ids[first:last, : run.batch])
                next_ids = ids[first + 1 : last + 1, : run.batch]
                _score_tokens(scores, first, logits, next_ids, top=top, temperatures=temperatures)
    return found


def _unscored(vocabulary_size: int, tokens: int, top: int | None, temperatures: int, *, after: bool) -> ScoredTokens:
    """Returns the scores of a text of some tokens, which are yet to be filled in."""
    scored = max(tokens - 1, 0)
    nats = np.empty(scored, np.float32)
    behind = np.empty(vocabulary_size, np.float32) if after and tokens else None
    totals = np.empty((scored, temperatures), np.float32) if temperatures else None
    if top is None:
        return ScoredTokens(nats, after=behind, totals=totals)
    shape = scored, min(top, vocabulary_size - FIRST_TOKEN_ID)
    return ScoredTokens(
        nats, np.empty(scored, np.int32), np.empty(shape, np.int32), np.empty(shape, np.float32), behind, totals
    )


def _score_tokens(
    texts: Sequence[ScoredTokens],
    first: int,
    logits: Floats,
    next_ids: NDArray[np.intp],
    *,
    top: int | None,
    temperatures: Sequence[float],
) -> None:
    """Fills in the scores of some tokens of each text.

    Args:
        texts: the scores of the texts.
        first: the index of the first token, without the first of the text.
        logits: `(tokens, texts, vocabulary_size)`. The last may be those after the end of a text.
        next_ids: `(tokens, texts)`, the ids of the tokens. That after the end of a text is arbitrary.
        top: as in `score`.
        temperatures: as in `score`.
    """
    totals = log_total(logits)
    chosen = np.take_along_axis(logits, next_ids[..., np.newaxis], axis=-1)
    nats = totals - chosen[..., 0]
    if top is not None:
        ranks = 1 + np.count_nonzero(logits[..., FIRST_TOKEN_ID:] > chosen, axis=-1)
        ranks[next_ids < FIRST_TOKEN_ID] = 0
        best = likeliest(logits, top)
        best_nats = totals[..., np.newaxis] - np.take_along_axis(logits, best, axis=-1)
    if temperatures:
        written = logits[..., FIRST_TOKEN_ID:] - totals[..., np.newaxis]
        tempered = np.stack([log_total(written / np.float32(each)) for each in temperatures], axis=-1)
    for column, scores in enumerate(texts):
        kept = min(len(logits), len(scores.nats) - first)
        if kept < len(logits) and scores.after is not None:
            scores.after[:] = totals[-1, column] - logits[-1, column]
        here = slice(first, first + kept)
        scores.nats[here] = nats[:kept, column]
        if scores.ranks is not None and scores.top_ids is not None and scores.top_nats is not None:
            scores.ranks[here] = ranks[:kept, column]
            scores.top_ids[here], scores.top_nats[here] = best[:kept, column], best_nats[:kept, column]
        if scores.totals is not None:
            scores.totals[here] = tempered[:kept, column]


def _batches(
    texts: Sequence[Ids], lengths: Sequence[int]
) -> Iterator[tuple[Sequence[int], NDArray[np.intp], Sequence[int]]]:
    """Puts texts into batches, the longest first.

    Args:
        texts: the token ids of each text.
        lengths: the number of tokens to read of each text; texts of which none is read are left out.

    Yields:
        The indexes of some texts, their ids with padding at the end, `(longest + 1, texts)`, and their lengths.
    """
    order = sorted((index for index in range(len(texts)) if lengths[index] > 0), key=lambda index: -lengths[index])
    for first in range(0, len(order), MOST_ROWS):
        group = order[first : first + MOST_ROWS]
        ids = np.zeros((len(texts[group[0]]) + 1, len(group)), np.intp)
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
