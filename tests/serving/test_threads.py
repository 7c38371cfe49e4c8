import asyncio
import subprocess
import sys
import threading

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.serving.running import running
from tests.serving.small_app import app_of
from tests.serving.test_worker import wait_until
from textgen.serving.failures import RequestError
from textgen.serving.leaving import NobodyWaits
from textgen.serving.threads import Threads

HANG_SECONDS = 60


def test_a_few_at_once_and_the_rest_wait():
    """Two calls run at once, the next ones wait, and those that the queue has no room for are refused with 503 and Retry-After."""
    running, most_running, lock, both, go_on = 0, 0, threading.Lock(), threading.Event(), threading.Event()

    def compute(number):
        nonlocal running, most_running
        with lock:
            running += 1
            most_running = max(most_running, running)
            if running == 2:
                both.set()
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
        assert await asyncio.to_thread(both.wait, HANG_SECONDS)
        go_on.set()
        assert await asyncio.gather(*calls) == list(range(5))
        assert await threads.run(compute, 6) == 6
        return caught.value

    error = asyncio.run(ask())
    assert (error.status, error.headers) == (503, {"Retry-After": "1"})
    assert most_running == 2


def test_computations_take_turns():
    """A computation whose part has ended lets the others that wait compute first, in the order in which they came."""
    parts, begin = [], threading.Event()

    async def ask():
        threads = Threads(at_once=1)

        def compute(name):
            assert begin.wait(HANG_SECONDS)
            for _ in range(3):
                parts.append(name)
                threads.take_turns()

        calls = [asyncio.create_task(threads.run(compute, name)) for name in "abc"]
        await asyncio.to_thread(wait_until, lambda: len(threads._turns._waiting) == 2)
        begin.set()
        await asyncio.gather(*calls)
        assert await threads.run(lambda: "d") == "d"

    asyncio.run(ask())
    assert "".join(parts) in {"abcabcabc", "acbacbacb", "bacbacbac", "bcabcabca", "cabcabcab", "cbacbacba"}


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
        first = asyncio.create_task(threads.run_for(requests[0][0], lambda _: make(0)))
        second = asyncio.create_task(threads.run_for(requests[1][0], lambda _: make(1)))
        await asyncio.sleep(0.01)
        requests[1][1]()
        assert (await second).status_code == 499
        third = asyncio.create_task(threads.run_for(requests[2][0], lambda _: make(2)))
        await asyncio.sleep(0)
        go_on.set()
        return [(await answer).body for answer in (first, third)]

    assert asyncio.run(ask()) == [b"0", b"2"]
    assert made == [0, 2]


def test_a_closed_server_gives_up_its_computations():
    """Calls that run or wait when the threads are closed, and later ones, are refused with 503."""
    go_on = threading.Event()

    async def ask():
        threads = Threads(at_once=1)
        calls = [asyncio.create_task(threads.run(go_on.wait, HANG_SECONDS)) for _ in range(2)]
        await asyncio.sleep(0.01)
        threads.close()
        calls.append(asyncio.create_task(threads.run(go_on.wait, HANG_SECONDS)))
        found = await asyncio.gather(*calls, return_exceptions=True)
        go_on.set()
        return [error.status if isinstance(error, RequestError) else error for error in found]

    assert asyncio.run(ask()) == [503, 503, 503]


ENDLESS = """
import asyncio, threading
from textgen.serving.threads import Threads

async def ask():
    asyncio.create_task(Threads().run(running.set))
    asyncio.create_task(Threads().run(threading.Event().wait))
    while not running.is_set():
        await asyncio.sleep(0.01)

running = threading.Event()
asyncio.run(ask())
"""


def test_a_running_computation_does_not_keep_the_process():
    """A process whose event loop has ended does not wait for calls that still run."""
    subprocess.run([sys.executable, "-c", ENDLESS], check=True, timeout=HANG_SECONDS)


@pytest.mark.parametrize("name", ["threads", "passage_finder"])
def test_a_request_that_takes_too_long_ends_before_the_server(monkeypatch, name):
    """A computation that still runs when the time to end is over is answered with 503, and told to end; the server ends."""
    monkeypatch.setattr("textgen.serving.server.DRAIN_SECONDS", 0.1)
    app, began, go_on, ended = app_of(), threading.Event(), threading.Event(), []
    threads = getattr(app.state, name)
    threads = getattr(threads, "threads", threads)

    def compute(check):
        began.set()
        go_on.wait(HANG_SECONDS)
        with pytest.raises(NobodyWaits):
            check()
        ended.append(True)
        return Response()

    async def answer(request):
        return await threads.run_for(request, compute)

    app.router.routes.insert(0, Route("/compute", answer))
    with running(app) as service:
        threading.Thread(target=lambda: began.wait(HANG_SECONDS) and service.end()).start()
        found = service.ask("GET", "/compute")
        service.wait()
        go_on.set()
        wait_until(lambda: ended)
    assert (found.status, found.error["type"]) == (503, "server_error")
