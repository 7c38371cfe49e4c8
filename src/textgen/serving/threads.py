"""Runs long computations in threads, a few at a time, so that they do not hold up other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from textgen.serving.failures import RequestError
from textgen.serving.leaving import LEFT, ends_before_client_leaves

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""The most computations at once. More would only slow each other, and the texts that are being written, down."""

MOST = 32
"""The most computations that run or wait. Beyond them, requests are refused."""


class Threads:
    """The threads of a server for computations that take long.

    Args:
        at_once: the most computations at once.
        most: the most computations that run or wait.
    """

    def __init__(self, at_once: int = AT_ONCE, most: int = MOST) -> None:
        self._executor = ThreadPoolExecutor(at_once, thread_name_prefix="computation")
        self._most = most
        self._count = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function in a thread, and returns its result.

        Raises:
            RequestError: with 503 if too many calls are waiting.
        """
        if self._count >= self._most:
            raise RequestError(
                503,
                f"{self._count} requests of this kind are being answered already; try again in a moment",
                code="overloaded",
                headers={"Retry-After": "1"},
            )
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, partial(function, *args, **kwargs))
        finally:
            self._count -= 1

    async def run_for(self, request: Request, function: Callable[[], Response]) -> Response:
        """Calls a function that makes the answer to a request, as `run` does. If the client leaves while it waits, it is not called.

        Args:
            request: the request, whose body has been read.
            function: the function.

        Raises:
            RequestError: as `run`.
        """
        made = asyncio.ensure_future(self.run(function))
        return await made if await ends_before_client_leaves(made, request) else Response(status_code=LEFT)
