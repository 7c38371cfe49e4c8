"""The choices of a completion: what is new in a text since it was last looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from textgen.generation import Sample
from textgen.generation.ending import FinishReason
from textgen.generation.sample import TokenScore
from textgen.generation.scored_text import ScoredToken

_REASONS: dict[FinishReason, str] = {"length": "length"}


class Logprobs(Struct):
    """The log-probabilities of tokens under the model, before any settings, in nats.

    Attributes:
        tokens: the text of each token.
        token_logprobs: the log-probability of each; None for the first token of an echoed prompt.
        top_logprobs: the log-probabilities of the likeliest tokens in its place, and of the token itself.
        text_offset: where each token starts in the text, in characters.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]

    def add(self, token: str, score: TokenScore | None, offset: int) -> None:
        """Adds a token; None for a score that it has not."""
        self.tokens.append(token)
        self.text_offset.append(offset)
        if score is None:
            self.token_logprobs.append(None)
            self.top_logprobs.append(None)
            return
        top = {text: -nats for text, nats in score.alternatives}
        top.setdefault(token, -score.nats)
        self.token_logprobs.append(-score.nats)
        self.top_logprobs.append(top)


class Choice(Struct):
    """A text, or the next part of one in an event of a stream."""

    index: int
    text: str
    logprobs: Logprobs | None
    finish_reason: str | None


class ChoiceWriter:
    """Makes choices from a sample that grows.

    A token in which a text of `stops` may start is held back until it is certain that it does not.

    Args:
        index: the number of the choice.
        sample: the sample.
        stops: the texts of `until`, which are not part of the text here.
        echoed: the prompt, if the text starts with it.
        echoed_scores: the scores of its tokens, if they are listed.
        scored: whether to list the tokens with their log-probabilities.
    """

    def __init__(
        self,
        index: int,
        sample: Sample,
        stops: Sequence[str],
        *,
        echoed: str = "",
        echoed_scores: Iterable[ScoredToken] = (),
        scored: bool = False,
    ) -> None:
        self._index = index
        self._sample = sample
        self._stops = stops
        self._echoed = echoed
        self._echoed_scores = echoed_scores
        self._scored = scored
        self._taken = 0  # of the pieces
        self._offset = 0
        self._is_done = False

    def take(self) -> Choice | None:
        """Returns what is new; None if nothing is."""
        if self._is_done:
            return None
        sample = self._sample
        reason = sample.finish_reason  # before the pieces, because the worker adds pieces until there is a reason
        pieces = sample.pieces[self._taken :]
        self._is_done = reason is not None
        if self._stops:
            pieces = self._cut(pieces, reason)
        if not pieces and not self._echoed and reason is None:
            return None
        text = self._echoed + "".join(pieces)
        logprobs = self._score(pieces) if self._scored else None
        self._taken += len(pieces)
        self._offset += len(text)
        self._echoed, self._echoed_scores = "", ()
        return Choice(self._index, text, logprobs, None if reason is None else _REASONS.get(reason, "stop"))

    def _score(self, pieces: Sequence[str]) -> Logprobs:
        found = Logprobs([], [], [], [])
        for token in self._echoed_scores:
            score = None if token.nats is None else TokenScore(token.nats, tuple(each[:2] for each in token.top))
            found.add(token.text, score, token.offset)
        offset = self._offset + len(self._echoed)
        for number, piece in enumerate(pieces, self._taken):
            if piece:
                found.add(piece, self._sample.scores[number], offset)
            offset += len(piece)
        return found

    def _cut(self, pieces: list[str], reason: FinishReason | None) -> list[str]:
        """Returns the pieces without the stop text that ended the text, or those that can be sent already."""
        text = "".join(pieces)
        if reason is None:
            end = len(text) - max(_overlap(text, stop) for stop in self._stops)
        elif reason == "until":
            end = len(text) - max(len(stop) for stop in self._stops if text.endswith(stop))
        else:
            return pieces
        kept: list[str] = []
        start = 0
        for piece in pieces:
            if start + len(piece) > end:
                if reason is not None and start < end:
                    kept.append(piece[: end - start])
                break
            kept.append(piece)
            start += len(piece)
        return kept


def _overlap(text: str, stop: str) -> int:
    """Returns the length of the longest end of a text with which a stop text starts."""
    return next((size for size in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:size])), 0)
