"""Starts the workers of a cluster on this machine: the same command in other processes, whose console is not shown."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from textgen.config import Cluster
from textgen.console import visible
from textgen.errors import UnavailableError
from textgen.signals import start_thread

_IS_LOCAL = "TEXTGEN_LOCAL_WORKER"
"""Marks the environment of a worker whose standard input ends with the process that started it."""
_HOST = "127.0.0.1"
_ATTEMPTS = 100
_LONGEST_REASON = 300
_SECONDS_TO_END = 10.0


def local_cluster(count: int) -> Cluster:
    """Returns a cluster on this machine, seen from its chief, with ports that are free now.

    Args:
        count: the number of processes.

    Raises:
        UnavailableError: if there are not enough free ports.
    """
    with contextlib.ExitStack() as held:

        def bind(port: int) -> int:
            found = held.enter_context(socket.socket())
            found.bind((_HOST, port))
            number: int = found.getsockname()[1]
            return number

        try:
            ports = [_bind_two(bind), *(bind(0) for _ in range(count - 1))]
        except OSError as error:
            raise UnavailableError(
                f"cannot find {count + 1} free ports on {_HOST}: {error.strerror}; close other programs, or train in one process"
            ) from error
    return Cluster(tuple(f"{_HOST}:{port}" for port in ports), 0)


def _bind_two(bind: Callable[[int], int]) -> int:
    """Binds two ports in sequence, and returns the first."""
    for attempt in range(_ATTEMPTS):
        try:
            port = bind(0)
            bind(port + 1)
        except (OSError, OverflowError):
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            return port
    raise AssertionError


class LocalWorker:
    """A worker on this machine.

    Args:
        cluster: the cluster as the worker sees it.
        arguments: those of `textgen-train`.
        cores: the processor cores it may use; empty where the system cannot restrict them.
    """

    def __init__(self, cluster: Cluster, arguments: Sequence[str], cores: Sequence[int]) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker
        with _on_cores(cores):
            self._process = subprocess.Popen(  # noqa: S603 - this program, with the user's own arguments
                [sys.executable, "-P", "-m", "textgen", "train", *arguments],
                env={**os.environ, "TF_CONFIG": cluster.to_json(), _IS_LOCAL: "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._output,
                start_new_session=True,  # Ctrl-C in the terminal is for the chief, which ends all
            )

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def describe_end(self) -> str:
        """Waits for the end, which has begun, and returns how it ended, in words."""
        try:
            code = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return "does not answer any more"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-code).name}"
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").split("\n")
        reason = visible(next((line for line in reversed(lines) if line.strip()), "it wrote no reason"))
        return f"has ended with exit code {code}: {reason.strip()[:_LONGEST_REASON]}"

    def end(self) -> None:
        """Waits for the end, and kills the process if it does not come."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def share_cores(count: int) -> list[list[int]]:
    """Splits the cores that this process may use; an empty share where the system cannot restrict a process to some.

    Args:
        count: the number of processes.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [[] for _ in range(count)]
    cores = sorted(os.sched_getaffinity(0))
    edges = [len(cores) * number // count for number in range(count + 1)]
    return [cores[edges[number] : edges[number + 1]] or [cores[number % len(cores)]] for number in range(count)]


def use_cores(cores: Sequence[int]) -> None:
    """Restricts this thread, and the threads and processes that it starts from now on, to some cores."""
    if cores:
        os.sched_setaffinity(0, cores)


def end_with_parent(environment: Mapping[str, str]) -> None:
    """Makes a local worker end as soon as the process that started it has ended, however it ended."""
    if not environment.get(_IS_LOCAL):
        return

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdin.buffer.read()
        os._exit(UnavailableError.exit_code)

    start_thread(threading.Thread(target=watch, daemon=True))


@contextlib.contextmanager
def _on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Lets processes that are started in the body use some cores only."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
