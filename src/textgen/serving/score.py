"""Answers POST /v1/score: how likely a model finds a text, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from textgen.serving import body
from textgen.serving.failures import try_again
from textgen.serving.threads import Check, threads_for

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from textgen.generation.scored_text import Alternative, ScoredText, ScoredToken

_JSON = "application/json"

_TOKENS_AT_ONCE = 256

_LARGE = 1 << 20
"""The bytes of an answer that is sent as it is made, because the whole would take too much memory."""

_MOST_LARGE = 4
"""The most large answers that are being sent. A client that is slow to read one keeps its scores in memory."""

_DIGITS = 5


class ScoreFields(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request.

    Attributes:
        text: the text.
        model: the name of the model; None for the first.
        top: the number of alternatives to each token.
        next: the number of tokens to list that may follow the text.
    """

    text: str
    model: str | None = None
    top: Annotated[int, msgspec.Meta(ge=0, le=20)] = 5
    next: Annotated[int, msgspec.Meta(ge=0, le=500)] = 0


async def answer(request: Request) -> Response:
    """Answers POST /v1/score.

    Raises:
        RequestError: with 400 or 404 for a wrong field, and with 503 if there are too many requests.
    """
    fields = await body.read(request, ScoreFields)
    model = request.app.state.models.find(fields.model)

    def score(check: Check) -> Response:
        scored = model.generator.score(fields.text, top=fields.top, after=fields.next, check=check)
        beginning, rest = _take(_to_json(model.name, scored), _LARGE, check)
        return _LargeAnswer(beginning, rest) if len(beginning) >= _LARGE else Response(beginning, media_type=_JSON)

    return await threads_for(request, len(fields.text)).run_for(request, score)


class _LargeAnswer(StreamingResponse):
    """An answer that is made while it is sent.

    Args:
        beginning: its first bytes.
        rest: all others.
    """

    sent = 0  # of them, those that are being sent

    def __init__(self, beginning: bytes, rest: Iterator[bytes]) -> None:
        super().__init__(chain([beginning], rest), media_type=_JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it.

        Raises:
            RequestError: with 503 if too many are being sent.
        """
        if _LargeAnswer.sent >= _MOST_LARGE:
            raise try_again(
                f"{_MOST_LARGE} answers of this size are being sent already; try again later, send a shorter text, or lower top",
                10,
                code="overloaded",
            )
        _LargeAnswer.sent += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            _LargeAnswer.sent -= 1


def _take(pieces: Iterator[bytes], size: int, check: Check) -> tuple[bytes, Iterator[bytes]]:
    """Returns the first pieces together, at least some number of bytes if there are as many, and the rest."""
    taken = bytearray()
    for piece in pieces:
        check()
        taken += piece
        if len(taken) >= size:
            break
    return bytes(taken), pieces


def _to_json(model: str, scored: ScoredText) -> Iterator[bytes]:
    """Returns the answer in pieces."""
    head = {
        "object": "score",
        "model": model,
        "bits_per_character": _rounded(scored.bits_per_character),
        "unknown_share": scored.unknown_share,
        "next": [{"text": token.text, "id": token.token_id, "nats": _rounded(token.nats)} for token in scored.next],
    }
    yield msgspec.json.encode(head)[:-1] + b',"tokens":['
    tokens = iter(scored)
    separator = b""
    while some := list(islice(tokens, _TOKENS_AT_ONCE)):
        yield separator + _to_some_json(some)
        separator = b","
    yield b"]}"


def _to_some_json(tokens: Sequence[ScoredToken]) -> bytes:
    """Returns some elements of a list."""
    return msgspec.json.encode([_token(token) for token in tokens])[1:-1]


def _token(token: ScoredToken) -> dict[str, Any]:
    return {
        "text": token.text,
        "offset": token.offset,
        "nats": _rounded(token.nats),
        "rank": token.rank,
        "top": [_alternative(other) for other in token.top],
    }


def _alternative(token: Alternative) -> dict[str, Any]:
    return {"text": token.text, "nats": _rounded(token.nats)}


def _rounded(number: float | None) -> float | None:
    """Rounds a number to digits that a float32 has, which halves the size of an answer."""
    return None if number is None else round(number, _DIGITS)
