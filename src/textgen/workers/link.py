"""Sends messages with arrays between two processes over a socket."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from textgen.signals import start_thread

if TYPE_CHECKING:
    import numpy as np

_HEADER = struct.Struct(">8sQQ")
_MAGIC = b"textgen1"
_NO_ARRAYS: Mapping[str, np.ndarray] = MappingProxyType({})
_MOST_FACTS = 1 << 26
_MOST_FACTS_OF_A_STRANGER = 1 << 24

_IDLE_SECONDS = 10
_PROBES = 4
"""TCP asks a silent machine after 10 seconds, and gives it up after four questions, 5 seconds apart: after half a minute."""
_PROBE_SECONDS = 5

_BEAT = "beat"
_SECONDS_BETWEEN_BEATS = 10.0
_MOST_SILENCE = 180.0
"""The seconds without a beat after which the other process counts as lost. While TensorFlow connects, no thread can send one, for up to a minute."""


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        kind: what it asks for or answers.
        facts: JSON values.
        arrays: the arrays by name.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


class Link:
    """One end of a connection. A process that ends closes it, and TCP notices within half a minute if a machine is gone.

    A process that is stopped, whose system still answers, is noticed because it no longer sends beats.

    Any thread may send. Only one thread may receive.

    Args:
        connection: the connected socket, which the link closes.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._is_closed = threading.Event()
        self._has_heard = False
        self._waits_since: float | None = None
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", _IDLE_SECONDS),
            ("TCP_KEEPINTVL", _PROBE_SECONDS),
            ("TCP_KEEPCNT", _PROBES),
            ("TCP_USER_TIMEOUT", (_IDLE_SECONDS + _PROBES * _PROBE_SECONDS) * 1000),
        ):
            if hasattr(socket, option):  # not on every system
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def send(self, kind: str, arrays: Mapping[str, np.ndarray] = _NO_ARRAYS, **facts: Any) -> None:
        """Sends a message.

        Args:
            kind: see `Message`.
            arrays: its arrays.
            **facts: its JSON values.

        Raises:
            ConnectionError: if the other process is gone.
        """
        data = _pack(arrays) if arrays else b""
        with self._sending:
            self._write(kind, facts, data)

    def _write(self, kind: str, facts: Mapping[str, Any] = MappingProxyType({}), data: bytes = b"") -> None:
        text = json.dumps({"kind": kind, "facts": dict(facts)}).encode()
        try:
            self._socket.sendall(_HEADER.pack(_MAGIC, len(text), len(data)) + text)
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionError(str(error)) from error

    def start_beating(self) -> None:
        """Sends beats from now on, and ends the connection if none come, in a thread of its own."""
        start_thread(threading.Thread(target=self._beat, daemon=True))

    def _beat(self) -> None:
        with contextlib.suppress(ConnectionError):  # whoever receives notices
            while True:
                if self._sending.acquire(blocking=False):  # a message that is being sent is as good as a beat
                    try:
                        self._write(_BEAT)
                    finally:
                        self._sending.release()
                if self._is_closed.wait(_SECONDS_BETWEEN_BEATS):
                    return
                since = self._waits_since
                if self._has_heard and since is not None and time.monotonic() - since > _MOST_SILENCE:
                    self._shut_down()
                    return

    def receive(self, *, stranger: bool = False) -> Message:
        """Waits for a message other than a beat.

        Args:
            stranger: whether the other process has not yet said who it is. Its message must be short.

        Raises:
            ConnectionError: if the other process is gone, sends nothing for too long, or sends something else.
        """
        while (message := self._receive(stranger)).kind == _BEAT:
            pass
        return message

    def _receive(self, stranger: bool) -> Message:
        most = _MOST_FACTS_OF_A_STRANGER if stranger else _MOST_FACTS
        try:
            magic, facts_size, arrays_size = _HEADER.unpack(self._read(_HEADER.size))
            if magic != _MAGIC or facts_size > most or (stranger and arrays_size):
                raise ConnectionError("this is no message of textgen")
            text = json.loads(self._read(facts_size))
            arrays = _unpack(self._read(arrays_size)) if arrays_size else {}
            return Message(str(text["kind"]), dict(text["facts"]), arrays)
        except ConnectionError:
            raise
        except Exception as error:  # whatever a stranger sends
            raise ConnectionError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Ends the connection, for the other process and for a thread that is receiving."""
        self._is_closed.set()
        self._shut_down()
        self._socket.close()

    def _shut_down(self) -> None:
        """Lets a thread that is receiving return."""
        with contextlib.suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self, size: int) -> bytes:
        found = bytearray(size)
        view = memoryview(found)
        while view:
            self._waits_since = time.monotonic()
            count = self._socket.recv_into(view)
            self._waits_since = None
            if not count:
                raise ConnectionError("the connection was closed")
            self._has_heard = True
            view = view[count:]
        return bytes(found)


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    import numpy as np
    from safetensors.numpy import save

    data: bytes = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    return data


def _unpack(data: bytes) -> dict[str, np.ndarray]:
    from safetensors.numpy import load

    arrays: dict[str, np.ndarray] = load(data)
    return arrays
