"""Runs long computations in threads, a few at a time and in turns, so that they do not hold up other requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, ParamSpec, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from textgen.serving.failures import server_ends, try_again
from textgen.serving.leaving import LEFT, NobodyWaits, ends_before_client_leaves

Check: TypeAlias = Callable[[], None]
"""Is called before each part of a computation. It lets others have their turns, and ends one for which nobody waits, by an exception."""

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""The most computations at once. More would only slow each other, and the texts that are being written, down."""

_THREADS_PER_TURN = 4
"""The computations that take turns in the place of one. Each keeps what it has computed in memory, up to 10 MB for the score of a text."""

MOST = 32
"""The most computations that run or wait. Beyond them, requests are refused."""


LONG = 2000
"""The characters or tokens of a text that takes long to read. Shorter ones have threads of their own, and need not wait for it."""


def threads_for(request: Request, length: int) -> Threads:
    """Returns the threads for a request whose text has some number of characters."""
    state = request.app.state
    threads: Threads = state.threads if length > LONG else state.short_threads
    return threads


class Threads:
    """The threads of a server for computations that take long.

    The computations take turns, so that a long one does not hold up a shorter one that comes later. The threads end when nothing is left
    to compute. Unlike those of an executor, they do not keep the process from ending.

    Args:
        at_once: the most computations at once; of one that waits for its turn, another computes.
        most: the most computations that run or wait.
    """

    def __init__(self, at_once: int = AT_ONCE, most: int = MOST) -> None:
        self._turns = _Turns(at_once)
        self._most_threads = at_once * _THREADS_PER_TURN
        self._most = most
        self._lock = Lock()
        self._threads = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._results: set[asyncio.Future[Any]] = set()
        self._is_closed = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function in a thread, and returns its result.

        Raises:
            RequestError: with 503 if too many calls are waiting, or the server ends before this one has.
        """
        if self._is_closed:
            raise server_ends()
        if len(self._results) >= self._most:
            raise try_again(
                f"{len(self._results)} requests of this kind are being answered already; try again in a moment",
                1,
                code="overloaded",
            )
        future: Future[T] = Future()
        result = asyncio.wrap_future(future)
        self._results.add(result)
        with self._lock:
            self._waiting.append((future, partial(function, *args, **kwargs)))
            if self._threads < self._most_threads:
                self._threads += 1
                Thread(target=self._compute, name="textgen-computation", daemon=True).start()
        try:
            return await result
        except asyncio.CancelledError:
            if self._is_closed:
                raise server_ends() from None
            raise
        finally:
            self._results.discard(result)

    async def run_for(self, request: Request, function: Callable[[Check], Response]) -> Response:
        """Calls a function that makes the answer to a request, as `run` does, unless the client leaves.

        Args:
            request: the request, whose body has been read.
            function: the function. Once the client has left, it is not called any more, and its argument ends it.

        Raises:
            RequestError: as `run`.
        """
        is_over = Event()

        def check() -> None:
            self.take_turns()
            if is_over.is_set():
                raise NobodyWaits

        made = asyncio.ensure_future(self.run(function, check))
        try:
            return await made if await ends_before_client_leaves(made, request) else Response(status_code=LEFT)
        finally:
            is_over.set()

    def take_turns(self) -> None:
        """Lets another computation compute, if one waits, until it is this one's turn again; only a computation may call it."""
        self._turns.pass_on()

    def close(self) -> None:
        """Refuses further calls, and gives up those that run or wait; their requests are answered with an error."""
        self._is_closed = True
        for result in list(self._results):
            result.cancel()

    def _compute(self) -> None:
        """Makes calls until none is waiting."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                future, function = self._waiting.popleft()
            with self._turns:
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    result = function()
                except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del future, function  # which may keep a large text in memory while the thread ends


class _Turns:
    """Lets a few threads at once run a block of code; others wait in the order in which they came.

    Args:
        at_once: the most threads at once.
    """

    def __init__(self, at_once: int) -> None:
        self._lock = Lock()
        self._free = at_once
        self._waiting: deque[Event] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = Event()
            self._waiting.append(turn)
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1

    def pass_on(self) -> None:
        """Lets the first thread that waits run, from inside the block, and waits behind all others."""
        if self._waiting:
            self.__exit__()
            self.__enter__()
