"""Texts as they are written: turns token ids into pieces of text, and decides where a text ends."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from textgen.generation.alternatives import score_token
from textgen.generation.ending import Ending
from textgen.generation.reading import MOST_ROWS

if TYPE_CHECKING:
    from textgen.config import SamplingConfig
    from textgen.corpus import Joiner
    from textgen.generation.copy_guard import CopyGuard
    from textgen.generation.ending import FinishReason
    from textgen.generation.engine import BatchEngine
    from textgen.generation.row import Row
    from textgen.generation.sample import Sample


_MOST_AHEAD = 1024
"""The most texts that may end before an earlier one."""


class TokenGuard:
    """A `CopyGuard` for token ids.

    Args:
        guard: the guard.
        tokens: the vocabulary, in id order.
    """

    def __init__(self, guard: CopyGuard, tokens: Sequence[str]) -> None:
        self._guard, self._tokens = guard, tokens

    def allows(self, token_id: int) -> bool:
        """Returns whether a token can come next; see `CopyGuard.allows`."""
        return self._guard.allows(self._tokens[token_id])

    def add(self, token_id: int) -> None:
        """Adds the next token of the text."""
        self._guard.add(self._tokens[token_id])

    def copy(self) -> TokenGuard:
        """Returns an independent copy."""
        return TokenGuard(copy.copy(self._guard), self._tokens)


class Text:
    """The text of a row: its `add` is the row's `stop`.

    Args:
        sample: the sample that grows.
        take: is called with each new piece.
        config: the settings.
        tokens: the vocabulary, in id order.
        joiner: turns the tokens into text.
    """

    def __init__(
        self,
        sample: Sample,
        take: Callable[[str], None],
        config: SamplingConfig,
        tokens: Sequence[str],
        joiner: Joiner,
    ) -> None:
        self._sample = sample
        self._take = take
        self._tokens = tokens
        self._joiner = joiner
        self._join = joiner.add
        self._ending = Ending(config.until, config.lines) if config.until or config.lines is not None else None

    def add(self, token_id: int) -> FinishReason | None:
        """Adds the next token, and returns the reason why the text ends with it, or None if it continues."""
        piece = self._join(self._tokens[token_id])
        reason = None
        if self._ending is not None:
            whole = piece
            piece, reason = self._ending.cut(whole)
            self._sample.unwritten = len(whole) - len(piece)
        self._take(piece)
        return reason

    def add_scored(self, row: Row, alternatives: int, token_id: int) -> FinishReason | None:
        """Adds the next token with its score; see `add`.

        Args:
            row: the row, which is scored.
            alternatives: the number of the likeliest tokens to list with it.
            token_id: the token.
        """
        self._sample.scores.append(score_token(row, token_id, alternatives, self._tokens, self._joiner))
        return self.add(token_id)


def write_texts(
    engine: BatchEngine, texts: Iterator[tuple[Row, Sample]], written: list[tuple[Sample, str]]
) -> Iterator[tuple[Sample, str]]:
    """Writes texts in a batch, in which the next text takes the place of one that has ended.

    Args:
        engine: the engine.
        texts: the rows, with their samples. A row's `stop` is `Text.add`.
        written: the list to which the texts add their pieces, each with its sample.

    Yields:
        The pieces, each with the sample to which it was added; see `TextGenerator.write`.
    """
    samples = dict(islice(texts, MOST_ROWS))
    engine.admit(list(samples))
    while engine.step():
        if not engine.ended:
            for sample, piece in written:
                sample.pieces.append(piece)
                yield sample, piece
            written.clear()
            continue
        yield from _finish(written, {samples.pop(row): row for row in engine.ended})
        written.clear()
        # A caller that shows the texts in order keeps those that end before an earlier one, so they must not be too many.
        numbers = [sample.number for sample in samples.values()]
        ahead = max(numbers) - min(numbers) if numbers else 0
        new = dict(islice(texts, min(MOST_ROWS - len(samples), max(_MOST_AHEAD - ahead, 0))))
        samples |= new
        engine.admit(list(new))


def _finish(written: list[tuple[Sample, str]], ended: Mapping[Sample, Row]) -> Iterator[tuple[Sample, str]]:
    """Yields the pieces of a step in which texts end. A sample has a `finish_reason` only with its last piece."""
    last = {sample: number for number, (sample, _) in enumerate(written)}
    for number, (sample, piece) in enumerate(written):
        sample.pieces.append(piece)
        if sample in ended and number == last[sample]:
            sample.end(ended[sample])
        yield sample, piece
    for sample in (sample for sample in ended if sample not in last):  # no token was left to choose
        sample.end(ended[sample])
        yield sample, ""


def keep_best(pieces: Iterable[tuple[Sample, str]], count: int) -> Iterator[tuple[Sample, str]]:
    """Keeps the best of several texts: the one with the fewest nats per token.

    Args:
        pieces: the pieces of the texts, from `write_texts`. Of each number, there are `count` texts.
        count: the number of texts to choose from.

    Yields:
        Each text that is kept, as a whole.
    """
    best: dict[int, Sample] = {}
    left: dict[int, int] = {}  # the texts that have not ended
    for sample, _ in pieces:
        if sample.finish_reason is None:
            continue
        number = sample.number
        best[number] = min(best.get(number, sample), sample, key=lambda one: one.nats_per_token)
        left[number] = left.get(number, count) - 1
        if not left[number]:
            del left[number]
            yield (kept := best.pop(number)), kept.text
