"""The workers, as the chief sees them: it waits for them, tells them what to do, and ends with them."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from textgen.config import Cluster
from textgen.errors import StoppedError, TextgenError, UnavailableError, UsageError
from textgen.formatting import one_line, shown
from textgen.signals import Signals, start_thread
from textgen.workers.chief import END, FAILED, HELLO, STOP
from textgen.workers.link import Link, Message
from textgen.workers.local import LocalWorker, share_cores, use_cores
from textgen.workers.losses import end_by_force, error_of, lost

if TYPE_CHECKING:
    import numpy as np

_PAUSE = 0.2
_SECONDS_TO_COME = 600.0
_SECONDS_TO_TURN_AWAY = 60.0
_SECONDS_TO_SAY_WHO = 10.0
_SECONDS_TO_ANSWER = 600.0
"""For a worker that lives, but hangs. The longest answer takes loading TensorFlow, on a machine that may be busy."""
_NO_ARRAYS: Mapping[str, np.ndarray] = MappingProxyType({})


class Workers:
    """The connections of a chief to its workers. It listens for them as soon as it is entered.

    Args:
        cluster: the cluster, seen from the chief.
        arguments: those of `textgen-train` in workers that the chief starts on this machine; None if others start them.
        signals: its `fail` is called in another thread with the error to end with, if a worker is gone or has failed.
        seconds: how long to wait for the workers.

    Attributes:
        cluster: the cluster, seen from the chief.
        failure: the error to end with; None as long as all processes work.
    """

    def __init__(
        self,
        cluster: Cluster,
        arguments: Sequence[str] | None,
        signals: Signals,
        seconds: float = _SECONDS_TO_COME,
    ) -> None:
        self.cluster = cluster
        self.failure: TextgenError | None = None
        self._arguments = arguments
        self._signals = signals
        self._seconds = seconds
        self._links: dict[int, Link] = {}
        self._processes: dict[int, LocalWorker] = {}
        self._answers: dict[int, queue.Queue[Message]] = {}
        self._was_asked = False
        self._ends = False
        self._stop_clock: Callable[[], None] = lambda: None
        self._failing = threading.Lock()

    def __enter__(self) -> Self:
        host, port = self.cluster.link
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            # Not only at the host's name: on other machines, it may be that of a gateway.
            self._server = socket.create_server((host if _is_loopback(host) else "", port), family=family)
        except OSError as error:
            raise UnavailableError(
                f"cannot listen on port {port} of {host} for the other workers: {os.strerror(error.errno or 0)}; end the program that uses it, "
                "or give the chief another port in TF_CONFIG"
            ) from error
        self._server.settimeout(_PAUSE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the workers, each with the exit code of this process."""
        if self._arguments is None and not self._was_asked:
            # Others have started the workers, which must not wait for a chief that has nothing to train.
            with contextlib.suppress(TextgenError):
                self._wait_for_all(min(self._seconds, _SECONDS_TO_TURN_AWAY))
        self._ends = True
        if isinstance(error, KeyboardInterrupt):
            error = self._signals.error("stopped")
        if isinstance(error, TextgenError):
            code, text = error.exit_code, one_line(error.on_command_line)
        else:
            code, text = (0, "") if error is None else (1, f"{kind and kind.__name__}; its log says more")
        for link in self._links.values():
            with contextlib.suppress(ConnectionError):
                link.send(END, code=code, text=text)
        for process in self._processes.values():
            process.end()
        for link in self._links.values():
            link.close()
        self._server.close()
        self._stop_clock()

    def gather(self, facts: Mapping[str, Any]) -> None:
        """Starts the workers, if they are to run on this machine, and waits for all of them.

        Args:
            facts: what all processes must have in common, by name.

        Raises:
            UsageError: if a worker differs in one of the facts.
            TextgenError: if one does not come, or ends.
        """
        self._was_asked = True
        if self._arguments is not None:
            self._start(self._arguments)
        # Only after all have come, because the others would wait for a chief that has ended.
        for index, theirs in sorted(self._wait_for_all(self._seconds).items()):
            differences = _compare({**facts, "processes": self.cluster.count}, theirs)
            if differences:
                raise UsageError(
                    f"worker {index} has {differences[0]}; give all workers the same program, arguments and TF_CONFIG"
                )
        for index in self._links:
            self._answers[index] = queue.Queue()
            start_thread(threading.Thread(target=self._read, args=(index,), daemon=True))

    @property
    def are_local(self) -> bool:
        """Whether this process has started the workers, on its own machine."""
        return self._arguments is not None

    def tell(self, kind: str, arrays: Mapping[str, np.ndarray] = _NO_ARRAYS, **facts: Any) -> None:
        """Sends a message to each worker. If one is gone, `Signals.fail` has its error."""
        for link in self._links.values():
            with contextlib.suppress(ConnectionError):
                link.send(kind, arrays, **facts)

    def ask(self, kind: str, **facts: Any) -> list[Message]:
        """Sends a message to each worker, and waits for their answers, which it returns in the workers' order.

        Raises:
            TextgenError: if one is gone or has failed.
        """
        self.tell(kind, **facts)
        found = []
        deadline = time.monotonic() + _SECONDS_TO_ANSWER
        for index in range(1, self.cluster.count):
            while True:
                self.check()
                if time.monotonic() > deadline:
                    raise lost(f"worker {index} has not answered within {_SECONDS_TO_ANSWER:g} seconds")
                with contextlib.suppress(queue.Empty):
                    found.append(self._answers[index].get(timeout=_PAUSE))
                    break
        return found

    def check(self) -> None:
        """Raises the error to end with, if a worker is gone or has failed."""
        if self.failure is not None:
            raise self.failure

    def wait_for_failure(self, seconds: float) -> None:
        """Raises the error to end with, for which it waits a little: TensorFlow may notice first that a worker is gone."""
        deadline = time.monotonic() + seconds
        while self.failure is None and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self.check()

    def _start(self, arguments: Sequence[str]) -> None:
        """Starts the workers on this machine, each with its share of the cores, to which this process is restricted, too."""
        shares = share_cores(self.cluster.count)
        for index in range(1, self.cluster.count):
            self._processes[index] = LocalWorker(self.cluster.of(index), arguments, shares[index])
        use_cores(shares[0])

    def _wait_for_all(self, seconds: float) -> dict[int, Any]:
        """Waits for the workers, and returns what each says that all must have in common."""
        deadline = time.monotonic() + seconds
        found: dict[int, Any] = {}
        while len(found) < self.cluster.count - 1:
            if (came := self._accept()) is not None:
                found[came[0]] = came[1]
            missing = [index for index in range(1, self.cluster.count) if index not in found]
            for index in missing:
                if index in self._processes and self._processes[index].has_ended:
                    raise UnavailableError(f"worker {index} {self._processes[index].describe_end()}")
            if missing and time.monotonic() > deadline:
                address = self.cluster.addresses[missing[0]]
                raise lost(f"worker {missing[0]}, {address}, has not come within {seconds:g} seconds")
        return found

    def _accept(self) -> tuple[int, Any] | None:
        """Waits for a worker for a moment, and returns its number and what it says about itself."""
        try:
            connection, _ = self._server.accept()
        except TimeoutError:
            return None
        link = Link(connection)
        # A timeout of the socket would start again with every byte.
        clock = threading.Timer(_SECONDS_TO_SAY_WHO, link.close)
        clock.daemon = True
        start_thread(clock)
        try:
            hello = link.receive(stranger=True)
        except ConnectionError:  # something else has called at this port
            link.close()
            return None
        finally:
            clock.cancel()
        index = hello.facts.get("index")
        is_worker = isinstance(index, int) and 0 < index < self.cluster.count and index not in self._links
        if hello.kind != HELLO or not isinstance(index, int) or not is_worker:
            link.close()
            return None
        self._links[index] = link
        link.start_beating()
        return index, hello.facts.get("facts")

    def _read(self, index: int) -> None:
        """Receives the messages of a worker, in a thread of its own."""
        link = self._links[index]
        while True:
            try:
                message = link.receive()
            except ConnectionError:
                process = self._processes.get(index)
                if not self._ends:
                    how = "does not answer any more" if process is None else process.describe_end()
                    self._fail(lost(f"worker {index} {how}"))
                return
            if message.kind == STOP:
                self._fail(_stopped(index, str(message.facts["signal"])))
            elif message.kind == FAILED:
                self._fail(error_of(int(message.facts["code"]), f"worker {index}: {message.facts['text']}"))
            else:
                self._answers[index].put(message)

    def _fail(self, error: TextgenError) -> None:
        """Notes the first failure, and passes it on."""
        with self._failing:
            if self.failure is not None or self._ends:
                return
            self._stop_clock = end_by_force(error)
            self._signals.fail(error)
            self.failure = error  # last, so that whoever sees it sees the rest


def _stopped(index: int, signal: str) -> TextgenError:
    error = lost(f"worker {index} was stopped by {signal}")
    return error if isinstance(error, StoppedError) else StoppedError(str(error))


def _compare(own: Mapping[str, Any], theirs: Any) -> list[str]:
    """Returns in words where a worker differs from the chief."""
    if not isinstance(theirs, dict):
        return ["another version of textgen"]
    own = json.loads(json.dumps(own))  # as theirs were sent
    return [
        f"{name} {shown(theirs.get(name))}, and the chief {shown(own.get(name))}"
        for name in sorted({*own, *theirs})
        if own.get(name) != theirs.get(name)
    ]


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
