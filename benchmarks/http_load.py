"""Sends requests to a service and records its answers, with as little CPU time as possible: answers are parsed afterwards."""

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

_END = b"0\r\n\r\n"
"""The last bytes of an answer in chunks."""

_HEAD_END = b"\r\n\r\n"


@dataclass
class Exchange:
    """A request and its answer.

    Attributes:
        sent: when the request was sent, by `perf_counter`.
        first: when the first event arrived, or for an answer without events, its start.
        ended: when the whole answer had arrived.
        received: the bytes of the answer.
    """

    sent: float
    first: float = 0.0
    ended: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.received[9:12])

    def body(self, size: int | None = None) -> bytes:
        """Returns the body, or the part of it that is in the first bytes of the answer."""
        head, _, rest = bytes(self.received[:size]).partition(_HEAD_END)
        if b"content-length:" in head.lower():
            return rest
        parts = []
        while rest:
            length, _, rest = rest.partition(b"\r\n")
            number = int(length or b"0", 16)
            parts.append(rest[:number])
            rest = rest[number + 2 :]
        return b"".join(parts)

    def json(self) -> Any:
        """Returns the body of an answer in JSON."""
        return json.loads(self.body())

    def text(self, size: int | None = None) -> str:
        """Returns the text of a streamed completion; see `body`."""
        events = self.body(size).split(b"\n\n")
        whole = [event[len(b"data: ") :] for event in events[:-1] if event.startswith(b"data: {")]
        return "".join(choice["text"] for event in whole for choice in json.loads(event)["choices"])

    @property
    def is_server_error(self) -> bool:
        """Whether the service failed, before or during the answer; an answer that it is busy is not a failure."""
        is_stream = self.status == HTTPStatus.OK and b"text/event-stream" in self.received
        return (self.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.status != HTTPStatus.SERVICE_UNAVAILABLE) or (
            is_stream and b'data: {"error"' in self.body()
        )

    @property
    def is_whole(self) -> bool:
        """Whether a streamed completion has its last event."""
        return self.body().endswith(b"data: [DONE]\n\n")


class Connection(asyncio.Protocol):
    """A connection on which requests follow one another."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._size: int | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Opens a connection to a service on this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def ask(self, request: bytes) -> Exchange:
        """Sends a request, and returns it with its answer.

        Raises:
            ConnectionError: if the service closes the connection before the answer is complete.
        """
        assert self._transport is not None  # noqa: S101 - for the type checker
        if self._transport.is_closing():
            raise ConnectionError("the service has closed the connection")
        self.exchange = exchange = Exchange(time.perf_counter())
        self._size = None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered
        return exchange

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Adds a part of the answer."""
        exchange = self.exchange
        if exchange is None:
            return
        exchange.received += data
        if not exchange.first:
            self._begin(exchange)
        is_whole = exchange.received.endswith(_END) if self._size is None else len(exchange.received) >= self._size
        if is_whole and self._answered is not None and not self._answered.done():
            exchange.ended = time.perf_counter()
            self._answered.set_result(None)

    def _begin(self, exchange: Exchange) -> None:
        head, end, _ = bytes(exchange.received).partition(_HEAD_END)
        if not end:
            return
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                self._size = len(head) + len(end) + int(line.partition(b":")[2])
        if self._size is not None or b"data: {" in exchange.received:
            exchange.first = time.perf_counter()

    def connection_lost(self, error: Exception | None) -> None:
        """Fails the request that has no answer."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("the service has closed the connection"))


class SlowClients:
    """Clients that send a request each, and read a few bytes of the answer a second.

    Args:
        port: the port of the service.
        requests: the requests.
        bytes_at_once: the bytes that each reads in a second.

    Attributes:
        sockets: the connections.
    """

    def __init__(self, port: int, requests: list[bytes], bytes_at_once: int = 8) -> None:
        self._bytes = bytes_at_once
        self.sockets: list[socket.socket] = []
        for request in requests:
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(request)
            client.setblocking(False)
            self.sockets.append(client)

    async def read(self) -> None:
        """Reads for ever."""
        while True:
            for client in self.sockets:
                with contextlib.suppress(BlockingIOError):
                    client.recv(self._bytes)
            await asyncio.sleep(1)

    def close(self) -> None:
        """Closes all connections."""
        for client in self.sockets:
            client.close()


def post(path: str, body: bytes | dict[str, Any]) -> bytes:
    """Returns the bytes of a POST request."""
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def get(path: str) -> bytes:
    """Returns the bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
