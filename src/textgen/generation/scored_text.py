"""Shows how likely a model finds a text: the score of each token, its alternatives, and the tokens that may come next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from textgen.corpus import UNKNOWN_ID
from textgen.errors import UsageError, named
from textgen.formatting import shown
from textgen.generation.alternatives import likeliest
from textgen.generation.reading import score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from textgen.corpus import Joiner, Vocabulary
    from textgen.generation.reading import ScoredTokens
    from textgen.generation.step import LSTMStep
    from textgen.generation.text_tokens import TextTokens

_TOKENS_AT_ONCE = 256

_COLDEST = 0.01
"""The lowest temperature: below, float32 is too coarse for the probabilities."""


class Alternative(NamedTuple):
    """A token that a model finds likely in some place.

    Attributes:
        text: the text that it would add there, with the space before it if it needs one.
        nats: minus its log-probability.
        token_id: its id.
        probabilities: the probability that it is written there, at each of the temperatures asked for. Unlike `nats`, these leave out
            what a model never writes.
    """

    text: str
    nats: float
    token_id: int
    probabilities: tuple[float, ...] = ()


class ScoredToken(NamedTuple):
    """A token of a text.

    Attributes:
        text: its piece of the text, as in `TextTokens.pieces`. The pieces of all tokens are the text.
        offset: the index of the piece's first character in the text.
        nats: minus its log-probability, given all tokens before it; None for the first token.
        rank: its rank among the tokens that the model writes, as in `ScoredTokens`; None for the first, and for one read as `[UNK]`.
        top: the likeliest tokens in its place, the likeliest first.
    """

    text: str
    offset: int
    nats: float | None
    rank: int | None
    top: tuple[Alternative, ...]


@dataclass(frozen=True, eq=False)
class ScoredText:
    """A text whose tokens a model has scored.

    Attributes:
        text: the text and its tokens.
        scores: the scores of the tokens, with ranks and alternatives.
        next: the likeliest tokens after the text, the likeliest first.
        temperatures: those of the alternatives' `probabilities`.
    """

    text: TextTokens
    scores: ScoredTokens
    next: tuple[Alternative, ...]
    temperatures: tuple[float, ...] = ()

    @property
    def nats(self) -> float:
        """Minus the log-probability of all tokens but the first."""
        return float(self.scores.nats.sum(dtype=np.float64))

    @property
    def characters(self) -> int:
        """The number of characters in the pieces of all tokens but the first."""
        return len(self.text.text) - len(self.text.pieces[0]) if self.text.pieces else 0

    @property
    def bits_per_character(self) -> float | None:
        """Nats / (ln 2 x characters); None if there are none, for a text of at most one token.

        It is not comparable if `unknown_share` is above 0, because a model never has to spell an unknown token.
        """
        return self.nats / math.log(2) / self.characters if self.characters else None

    @property
    def unknown_share(self) -> float:
        """The share of the tokens that are read as `[UNK]`, from 0 to 1."""
        return self.text.ids.count(UNKNOWN_ID) / max(len(self.text.ids), 1)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The distinct tokens that are read as `[UNK]`, in the order of the text."""
        pairs = zip(self.text.pieces, self.text.ids, strict=True)
        return tuple(dict.fromkeys(piece.strip() or piece for piece, token_id in pairs if token_id == UNKNOWN_ID))

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the model."""
        return self.text.vocabulary

    def __len__(self) -> int:
        """Returns the number of tokens."""
        return len(self.text.ids)

    def __iter__(self) -> Iterator[ScoredToken]:
        """Yields the tokens."""
        pieces, offsets, vocabulary = self.text.pieces, self.text.offsets, self.text.vocabulary
        joiner = vocabulary.tokenizer.joiner()
        if pieces:
            yield ScoredToken(pieces[0], 0, None, None, ())
        for index, (nats, rank, ids, costs, *totals) in enumerate(_rows(self.scores), 1):
            joiner.add(self.text.tokens[index - 1])
            top = _list_alternatives(ids, costs, joiner, vocabulary)
            if totals:
                top = tuple(self._at_temperatures(other, totals[0]) for other in top)
            yield ScoredToken(pieces[index], offsets[index], nats, rank or None, top)

    def _at_temperatures(self, other: Alternative, totals: Sequence[float]) -> Alternative:
        """Returns an alternative with its probabilities at the temperatures."""
        pairs = zip(self.temperatures, totals, strict=True)
        # The costs of a hostile model are so large that their rounding could give more than 1.
        return other._replace(
            probabilities=tuple(math.exp(min(-other.nats / each - total, 0)) for each, total in pairs)
        )


def check_temperatures(temperatures: Any) -> None:
    """Checks the temperatures of `TextGenerator.score`.

    Raises:
        UsageError: if they are not a list of numbers from 0.01.
    """
    is_list = isinstance(temperatures, list | tuple)
    if not is_list or any(type(each) not in {int, float} or not _COLDEST <= each < math.inf for each in temperatures):
        raise UsageError(
            f"{named('temperatures')} must be a list of numbers from {_COLDEST}, got {shown(temperatures)}"
        )


def score_text(
    network: LSTMStep,
    text: TextTokens,
    start_ids: Sequence[int],
    *,
    top: int = 0,
    after: int = 0,
    temperatures: Sequence[float] = (),
    check: Callable[[], None] = lambda: None,
) -> ScoredText:
    """Scores the tokens of a text; see `TextGenerator.score`.

    Args:
        network: the network.
        text: the text, split into tokens.
        start_ids: the token ids from which the first token is predicted if there is none.
        top: the number of alternatives to list for each token.
        after: the number of tokens to list that may follow the text.
        temperatures: the temperatures for the probabilities of the alternatives.
        check: as in `reading.score`.
    """
    [scores] = score(network, [text.ids], top=top, after=after > 0, temperatures=temperatures, check=check)
    nats = scores.after
    if after and nats is None:
        [start] = score(network, [start_ids], after=True)
        nats = start.after
    if nats is None:
        return ScoredText(text, scores, (), tuple(temperatures))
    ids = likeliest(-nats, after)
    joiner = text.vocabulary.tokenizer.joiner(text.text if text.ids else "")
    following = _list_alternatives(ids.tolist(), nats[ids].tolist(), joiner, text.vocabulary)
    return ScoredText(text, scores, following, tuple(temperatures))


def _list_alternatives(
    ids: Sequence[int], nats: Sequence[float], joiner: Joiner, vocabulary: Vocabulary
) -> tuple[Alternative, ...]:
    """Returns tokens as alternatives in the place after those that a joiner has taken."""
    return tuple(
        Alternative(joiner.look_ahead(vocabulary.tokens[token_id]), cost, token_id)
        for token_id, cost in zip(ids, nats, strict=True)
    )


def _rows(scores: ScoredTokens) -> Iterator[Any]:
    """Yields nats, rank, the ids and nats of the alternatives and, if there are any, the totals of each token but the first."""
    columns = scores.nats, scores.ranks, scores.top_ids, scores.top_nats, scores.totals
    arrays = [array for array in columns if array is not None]
    for first in range(0, len(scores.nats), _TOKENS_AT_ONCE):
        yield from zip(*(array[first : first + _TOKENS_AT_ONCE].tolist() for array in arrays), strict=True)
