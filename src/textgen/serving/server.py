"""Listens on a port, answers requests until a signal arrives, and then lets running texts end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from textgen.errors import AccessError, TextgenError, UnavailableError, UsageError, named

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 30
"""The time that running texts have to end after SIGTERM."""

_ENDING_SECONDS = 5
"""The time after that in which the answers about it must be sent."""

_IDLE_SECONDS = 30
"""The time after which a connection is closed on which no request arrives, or whose client reads nothing of an answer."""

_TERMINATED = 143
"""The exit code of a process that SIGTERM ended."""

_WAITING_CONNECTIONS = 2048

_Progress = tuple[RequestResponseCycle | None, int]
"""The last request of a connection, and the bytes of its answer that the client has not read."""


def open_socket(host: str, port: int) -> socket.socket:
    """Listens on a port.

    Args:
        host: a name or an address of this machine.
        port: the port; 0 for any that is free.

    Returns:
        The socket, on which connections wait already.

    Raises:
        UnavailableError: if another program uses the port.
        AccessError: if the user may not use it.
        UsageError: if the host is none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, address = next(
            ((each[0], each[4]) for each in found if each[0] == socket.AF_INET), (found[0][0], found[0][4])
        )
        both = host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(address[:2], family=family, backlog=_WAITING_CONNECTIONS, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:
        raise _describe(error, host, port) from error
    # Connections inherit it. Without it, the end of an answer waits until its start is acknowledged, 40 ms later. asyncio sets it
    # only on sockets that name their protocol.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address_of(listening: socket.socket, host: str) -> str:
    """Returns the address of the service, such as `http://127.0.0.1:8000`."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


def serve(app: Starlette, listening: socket.socket, when_ready: Callable[[], None]) -> None:
    """Answers requests until SIGTERM: then no new connections are accepted, and running texts have some time to end.

    A second SIGTERM ends the process at once. SIGINT is the caller's.

    Args:
        app: the application; its `state.is_draining` is set at SIGTERM, and its models admit no more texts.
        listening: the socket, which is closed in the end.
        when_ready: called once the service answers.
    """
    server = Server(app, when_ready)

    def drain(number: int, frame: FrameType | None) -> None:
        del number, frame
        if server.should_exit:
            os._exit(_TERMINATED)
        app.state.is_draining = True
        app.state.models.drain()
        server.should_exit = True

    before = signal.signal(signal.SIGTERM, drain)
    # What is loaded by now stays. Whenever Python searched it for garbage, as it does while a long text is scored, all threads would stop
    # for about 20 milliseconds.
    gc.collect()
    gc.freeze()
    try:
        server.run(sockets=[listening])
    finally:
        gc.unfreeze()
        signal.signal(signal.SIGTERM, before)


class Server(uvicorn.Server):
    """uvicorn without signal handlers or log of its own, which also closes connections on which nothing happens.

    Args:
        app: the application.
        when_ready: called once the server answers.
    """

    def __init__(self, app: Starlette, when_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_WAITING_CONNECTIONS,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS + _ENDING_SECONDS,
        )
        super().__init__(config)
        self._state = app.state
        self._when_ready = when_ready
        self._is_full = False  # it has been, once
        self._idle: dict[H11Protocol, tuple[_Progress, float]] = {}  # since when there has been no more progress

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to answer."""
        asyncio.get_running_loop().set_exception_handler(self._note_failure)
        await super().startup(sockets)
        self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts no more connections, and waits for the answers; texts and computations that take too long end with an error."""
        close = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._give_up)
        await super().shutdown(sockets)
        close.cancel()

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Logs a failure outside of any request.

        While the process may open no more files, asyncio fails to accept a connection thousands of times a second.
        """
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in {errno.EMFILE, errno.ENFILE}:
            loop.default_exception_handler(context)
        elif not self._is_full:
            self._is_full = True
            _log.warning(
                "too many files and connections are open, so that further clients wait; allow more with ulimit -n"
            )

    def _give_up(self) -> None:
        state = self._state
        for each in (state.models, state.threads, state.short_threads, state.passage_finder.threads):
            each.close()

    async def on_tick(self, counter: int) -> bool:
        """Does what has to be done ten times a second; returns whether the server ends."""
        self._close_idle_connections()
        return await super().on_tick(counter)

    def _close_idle_connections(self) -> None:
        """Closes connections on which nothing has happened for a long time.

        That is so if a client has sent no request, or only a part of its head: uvicorn itself closes such a connection only after
        its first answer, and only if nothing at all arrives. And it is so if a client does not read its answer, which would
        otherwise stay in memory as long as the client likes.
        """
        now = time.monotonic()
        idle: dict[H11Protocol, tuple[_Progress, float]] = {}
        for connection in cast("set[H11Protocol]", self.server_state.connections):
            cycle: RequestResponseCycle | None = connection.cycle  # of the last request
            unread = connection.transport.get_write_buffer_size()
            if unread or cycle is None or cycle.response_complete:
                last, since = self._idle.get(connection, ((cycle, unread), now))
                idle[connection] = ((cycle, unread), since if last == (cycle, unread) else now)
        self._idle = idle
        for connection, ((_, unread), since) in idle.items():
            if now - since > _IDLE_SECONDS:
                if unread:
                    connection.transport.abort()
                else:
                    connection.shutdown()


def _describe(error: OSError | UnicodeError, host: str, port: int) -> TextgenError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return UnavailableError(
            f"port {port} of {host} is already in use; stop the program that uses it, or choose another port with {named('port')}"
        )
    if number in {errno.EACCES, errno.EPERM}:
        return AccessError(f"you may not use port {port} of {host}; choose a port above 1023 with {named('port')}")
    return UsageError(f"{named('host')} must be a name or an address of this machine, got {host}")
