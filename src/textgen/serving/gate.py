"""What every request passes before its handler, and every answer after it, as ASGI middleware."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textgen.formatting import shown
from textgen.serving.access import Access
from textgen.serving.failures import RequestError, answer_error, as_request_error

_log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
"""The largest body of a request."""

BODY_SECONDS = 10.0
"""The time in which a body must arrive."""

_READING = frozenset({"GET", "HEAD"})

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every answer that does not set its own."""


class Answers:
    """Gives every answer its security headers, reports it, and answers a request whose handler failed unexpectedly.

    Args:
        app: the application.
        report: called after each answer with the method, the path of the route, or `unknown`, the status and the seconds.
    """

    def __init__(self, app: ASGIApp, report: Callable[[str, str, int, float], None]) -> None:
        self._app = app
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.monotonic()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except Exception as error:
            _log.exception("a request failed because of a bug in textgen")
            if status:
                raise  # the answer has begun, so the connection must break
            await answer_error(as_request_error(error))(scope, receive, send_with_headers)
        finally:
            if status:
                route = getattr(scope.get("route"), "path", "unknown")
                self._report(scope["method"], route, status, time.monotonic() - began)


class Gate:
    """Lets only requests pass that the rules allow, whose body is JSON, small and on time.

    Args:
        app: the application.
        access: the rules.
        open_paths: the paths that anyone may read without a token.
        body_seconds: the time in which a body must arrive.
    """

    def __init__(
        self, app: ASGIApp, access: Access, open_paths: frozenset[str], body_seconds: float = BODY_SECONDS
    ) -> None:
        self._app = app
        self._access = access
        self._open_paths = open_paths
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a request, or passes it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except RequestError as error:
            await answer_error(error)(scope, receive, send)
            return
        await self._app(scope, _Body(receive, self._body_seconds), send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._access.check_host(headers)
        self._access.check_origin(headers)
        if scope["path"] not in self._open_paths or scope["method"] not in _READING:
            self._access.check_token(headers)
        if "content-length" in headers and "transfer-encoding" in headers:
            raise RequestError(  # a proxy may find another end of the body (RFC 9112, section 6.1)
                HTTPStatus.BAD_REQUEST,
                "the headers Content-Length and Transfer-Encoding cannot be combined; leave one out",
                headers={"Connection": "close"},
            )
        if scope["method"] != "POST":
            return
        given = headers.get("content-type", "")
        if given.partition(";")[0].strip().lower() != "application/json":
            got = shown(given) if given else "none"
            raise RequestError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the header Content-Type must be application/json, got {got}"
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > MOST_BYTES:
            raise _too_large()


class _Body:
    """Receives the body of a request, of limited size and in limited time; afterwards, it waits for the client to leave."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._ends: float | None = None
        self._size = 0
        self._is_complete = False

    async def __call__(self) -> Message:
        if self._is_complete:
            return await self._receive()
        if self._ends is None:
            self._ends = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body must arrive within {self._seconds:g} seconds; send it again",
                headers={"Connection": "close"},
            ) from None
        self._size += len(message.get("body", b""))
        if self._size > MOST_BYTES:
            raise _too_large()
        self._is_complete = not message.get("more_body", False)
        return message


def _too_large() -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body must have at most {MOST_BYTES:,} bytes; send less text"
    )
