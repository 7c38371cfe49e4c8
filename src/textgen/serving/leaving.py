"""Notices when the client of a request leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from starlette.requests import Request

LEFT = 499
"""The status that is counted for a client that left before its answer; nobody receives it."""


class NobodyWaits(Exception):  # noqa: N818 - it is no error
    """Ends a computation whose client has left."""


async def ends_before_client_leaves(work: Awaitable[Any], request: Request) -> bool:
    """Waits until some work has ended, and returns True, or until the client leaves, and returns False.

    Args:
        work: the work, which is cancelled in the second case. If it fails, that is not raised here.
        request: the request, whose body has been read.
    """
    ended, left = asyncio.ensure_future(work), asyncio.ensure_future(_wait_until_client_leaves(request))
    try:
        await asyncio.wait([ended, left], return_when=asyncio.FIRST_COMPLETED)
        return ended.done()
    finally:
        ended.cancel()
        left.cancel()


async def _wait_until_client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
