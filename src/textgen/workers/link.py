"""Sends messages with arrays between two processes over a socket."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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

    Any thread may send. Only one thread may receive.

    Args:
        connection: the connected socket, which the link closes.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
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
        import numpy as np
        from safetensors.numpy import save

        text = json.dumps({"kind": kind, "facts": facts}).encode()
        data = save({name: np.asarray(array, order="C") for name, array in arrays.items()}) if arrays else b""
        try:
            with self._sending:
                self._socket.sendall(_HEADER.pack(_MAGIC, len(text), len(data)) + text)
                self._socket.sendall(data)
        except OSError as error:
            raise ConnectionError(str(error)) from error

    def receive(self, *, stranger: bool = False) -> Message:
        """Waits for a message.

        Args:
            stranger: whether the other process has not yet said who it is. Its message must be short.

        Raises:
            ConnectionError: if the other process is gone, or sends something else.
        """
        from safetensors.numpy import load

        most = _MOST_FACTS_OF_A_STRANGER if stranger else _MOST_FACTS
        try:
            magic, facts_size, arrays_size = _HEADER.unpack(self._read(_HEADER.size))
            if magic != _MAGIC or facts_size > most or (stranger and arrays_size):
                raise ConnectionError("this is no message of textgen")
            text = json.loads(self._read(facts_size))
            arrays = load(self._read(arrays_size)) if arrays_size else {}
            return Message(str(text["kind"]), dict(text["facts"]), arrays)
        except ConnectionError:
            raise
        except Exception as error:  # whatever a stranger sends
            raise ConnectionError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Ends the connection, for the other process and for a thread that is receiving."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended already
            pass
        finally:
            self._socket.close()

    def _read(self, size: int) -> bytes:
        found = bytearray(size)
        view = memoryview(found)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise ConnectionError("the connection was closed")
            view = view[count:]
        return bytes(found)
