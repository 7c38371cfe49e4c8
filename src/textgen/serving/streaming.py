"""Streams a completion as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from textgen.serving.failures import error_object

if TYPE_CHECKING:
    from textgen.serving.completions import StartedCompletion
    from textgen.serving.metrics import Metrics

_SECONDS_BETWEEN = 0.05
"""The least time between two events of a stream."""

_SECONDS_PER_TEXT = 1 / 640
"""The least time between two events of any streams, on average, so that the events leave the engine most of the time."""

_SECONDS_TO_PING = 15.0
_encode = msgspec.json.Encoder().encode


class EventStream(StreamingResponse):
    """The answer to a request whose texts are streamed. If its client leaves, they are given up.

    The first event is sent at once. The tokens that come until the next one share it: there are at most 20 a second, and fewer if many
    texts are being written. The last one is sent as soon as the texts have ended.

    Args:
        started: the request.
        metrics: where to count what was written.
    """

    def __init__(self, started: StartedCompletion, metrics: Metrics) -> None:
        super().__init__(self._events(started), media_type="text/event-stream")
        self._started = started
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._started.close(self._metrics)

    async def _events(self, started: StartedCompletion) -> AsyncIterator[bytes]:
        texts = started.texts
        while not texts.is_done and texts.began is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(texts.wait_for_news(), _SECONDS_TO_PING)
                continue
            yield b": waiting\n\n"
        writers = started.writers()
        sent = perf_counter()
        while True:
            is_done = texts.is_done  # before the samples are read, because they grow until then
            events = [
                _event(started.completion([choice])) for writer in writers if (choice := writer.take()) is not None
            ]
            if is_done:
                yield b"".join([*events, *self._last_events(started)])
                return
            if events:
                yield b"".join(events)
                sent = perf_counter()
            elif perf_counter() - sent > _SECONDS_TO_PING:
                yield b": waiting\n\n"
                sent = perf_counter()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(_SECONDS_BETWEEN, started.served.worker.rows * _SECONDS_PER_TEXT)):
                    await texts.wait_for_end()

    @staticmethod
    def _last_events(started: StartedCompletion) -> list[bytes]:
        if started.texts.error is not None:
            return [_event(error_object(started.texts.error))]
        options = started.fields.stream_options
        usage = (
            [_event(started.completion([], started.usage()))] if options is not None and options.include_usage else []
        )
        return [*usage, b"data: [DONE]\n\n"]


def _event(content: Any) -> bytes:
    return b"data: %b\n\n" % _encode(content)
