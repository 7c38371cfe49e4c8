import asyncio
import threading

import pytest
from starlette.requests import Request
from starlette.responses import Response

from textgen.serving.failures import RequestError
from textgen.serving.threads import Threads

HANG_SECONDS = 60


def test_a_few_at_once_and_the_rest_wait():
    """Only so many calls run at once, others wait, and those beyond the queue are refused with 503 and Retry-After."""
    running, most_running, lock, go_on = 0, 0, threading.Lock(), threading.Event()

    def compute(number):
        nonlocal running, most_running
        with lock:
            running += 1
            most_running = max(most_running, running)
        assert go_on.wait(HANG_SECONDS)
        with lock:
            running -= 1
        return number

    async def ask():
        threads = Threads(at_once=2, most=5)
        calls = [asyncio.create_task(threads.run(compute, number)) for number in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(RequestError) as caught:
            await threads.run(compute, 5)
        go_on.set()
        assert await asyncio.gather(*calls) == list(range(5))
        assert await threads.run(compute, 6) == 6
        return caught.value

    error = asyncio.run(ask())
    assert (error.status, error.headers) == (503, {"Retry-After": "1"})
    assert most_running == 2


def test_an_error_makes_room_again():
    """A call that fails raises its error and makes room for another."""

    async def ask():
        threads = Threads(most=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await threads.run(lambda: 1 // 0)

    asyncio.run(ask())


def leaving():
    """Returns a request, and a function that lets its client leave."""
    left = asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive), left.set


def test_the_work_for_a_client_that_left_is_not_begun():
    """A call that waits when its client leaves is never made, and its place in the queue is free at once."""
    go_on, made = threading.Event(), []

    def make(number):
        assert go_on.wait(HANG_SECONDS)
        made.append(number)
        return Response(str(number))

    async def ask():
        threads, requests = Threads(at_once=1, most=2), [leaving() for _ in range(3)]
        first = asyncio.create_task(threads.run_for(requests[0][0], lambda: make(0)))
        second = asyncio.create_task(threads.run_for(requests[1][0], lambda: make(1)))
        await asyncio.sleep(0.01)
        requests[1][1]()
        assert (await second).status_code == 499
        third = asyncio.create_task(threads.run_for(requests[2][0], lambda: make(2)))
        await asyncio.sleep(0)
        go_on.set()
        return [(await answer).body for answer in (first, third)]

    assert asyncio.run(ask()) == [b"0", b"2"]
    assert made == [0, 2]
