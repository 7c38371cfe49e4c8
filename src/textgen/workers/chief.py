"""The chief, as a worker sees it: says what to do, and when to end."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from textgen.config import Cluster
from textgen.errors import TextgenError, UnavailableError
from textgen.signals import Signals, start_thread
from textgen.workers.link import Link, Message
from textgen.workers.losses import end_by_force, error_of, lost

if TYPE_CHECKING:
    import numpy as np

_PAUSE = 0.2
_SECONDS_TO_COME = 600.0
"""How long a worker waits for a chief, whose machine may be started later."""

END = "end"
FAILED = "failed"
HELLO = "hello"
STOP = "stop"


class Ended(Exception):  # noqa: N818 - no failure
    """The chief has ended, and there is nothing more to do."""


class Chief:
    """The connection of a worker to its chief.

    Args:
        cluster: the cluster, seen from this worker.
        facts: what all processes must have in common, by name.
        signals: handles SIGINT and SIGTERM, which are passed on to the chief; already entered.
        seconds: how long to wait for the chief.

    Raises:
        UnavailableError: if the chief does not come.
    """

    def __init__(
        self, cluster: Cluster, facts: Mapping[str, Any], signals: Signals, seconds: float = _SECONDS_TO_COME
    ) -> None:
        self._signals = signals
        self._has_told = False
        self._stop_clock: Callable[[], None] = lambda: None
        self._messages: queue.Queue[Message | Exception] = queue.Queue()
        self._link = Link(_connect(cluster, seconds))
        with contextlib.suppress(ConnectionError):  # the thread notices
            self._link.send(HELLO, index=cluster.index, facts={**facts, "processes": cluster.count})
        self._link.start_beating()
        start_thread(threading.Thread(target=self._read, daemon=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tells the chief about a failure of this worker."""
        if isinstance(error, TextgenError):
            with contextlib.suppress(ConnectionError):
                self._link.send(FAILED, code=error.exit_code, text=error.on_command_line)
        self._link.close()
        self._stop_clock()

    def next(self) -> Message:
        """Waits for the next thing to do.

        Raises:
            Ended: if there is none.
            TextgenError: if the chief has failed, or is gone.
        """
        while True:
            if self._signals.received is not None and not self._has_told:
                self._has_told = True
                with contextlib.suppress(ConnectionError):
                    self._link.send(STOP, signal=self._signals.received.name)
            try:
                found = self._messages.get(timeout=_PAUSE)
            except queue.Empty:
                continue
            if isinstance(found, Message):
                return found
            raise found

    def wait_for_end(self, seconds: float) -> None:
        """Waits for a while until the chief has ended, because this process cannot continue. Other messages are dropped.

        Raises:
            Ended, TextgenError: as `next`.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                found = self._messages.get(timeout=left)
                if not isinstance(found, Message):
                    raise found

    def answer(self, kind: str, arrays: Mapping[str, np.ndarray], **facts: Any) -> None:
        """Answers a message. If the chief is gone, `next` raises the error."""
        with contextlib.suppress(ConnectionError):
            self._link.send(kind, arrays, **facts)

    def _read(self) -> None:
        """Receives messages until the last one, in a thread of its own."""
        while True:
            try:
                message = self._link.receive()
            except ConnectionError:
                error = lost("the chief has ended without a reason that this worker knows")
                self._end_with(error)
                return
            if message.kind == END:
                code = int(message.facts["code"])
                if code:
                    self._end_with(error_of(code, f"the chief has ended: {message.facts['text']}"))
                else:
                    self._messages.put(Ended())
                return
            self._messages.put(message)

    def _end_with(self, error: TextgenError) -> None:
        self._stop_clock = end_by_force(error)
        self._messages.put(error)


def _connect(cluster: Cluster, seconds: float) -> socket.socket:
    """Connects to the chief, which may still have to start."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(cluster.link, timeout=max(_PAUSE, deadline - time.monotonic()))
        except OSError as error:
            if time.monotonic() >= deadline:
                host, port = cluster.link
                raise UnavailableError(
                    f"the chief does not answer at {host}:{port} within {seconds:g} seconds: {error.strerror or error}; "
                    "start all processes of TF_CONFIG, and let them reach each other"
                ) from error
        time.sleep(_PAUSE)
