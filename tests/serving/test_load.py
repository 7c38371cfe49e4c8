import asyncio
import importlib
import random
import socket
from pathlib import Path

import pytest

from tests.serving.running import HANG_SECONDS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LONG = {"prompt": "abc", "max_tokens": 1000, "stream": True}


@pytest.fixture
def load(monkeypatch):
    """The load generator of `benchmarks/serving.py`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("http_load")


@pytest.fixture
def bodies(monkeypatch):
    """The random bodies of `benchmarks/serving.py`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("random_bodies")


@pytest.fixture
def ask_all(load, served):
    """A function that sends requests, each a path and a body, over some connections at once, and returns the exchanges in order."""

    async def ask(requests, connections):
        left = list(enumerate(requests))[::-1]
        found = {}

        async def run():
            connection = None
            while left:
                number, (path, body) = left.pop()
                if connection is None:
                    connection = await load.Connection.open(served.service.port)
                async with asyncio.timeout(HANG_SECONDS):
                    found[number] = await connection.ask(load.post(path, body))
                if b"connection: close" in found[number].received.lower():
                    connection.close()
                    connection = None
            if connection is not None:
                connection.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(run())
        return [found[number] for number in sorted(found)]

    return lambda requests, connections: asyncio.run(ask(list(requests), connections))


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 0.8}, {"temperature": 0.8, "top_k": 3}])
def test_many_streams_are_whole(ask_all, served, settings):
    """64 streams at once lose nothing: each text is complete, and the one that its request gets alone."""
    alone = [
        served.complete(prompt="abc", max_tokens=1000, seed=seed, **settings).choices[0].text for seed in range(16)
    ]
    found = ask_all((("/v1/completions", {**LONG, **settings, "seed": number % 16}) for number in range(64)), 64)
    assert all(exchange.is_whole for exchange in found)
    assert [exchange.text() for exchange in found] == alone * 4
    assert {len(text) for text in alone} == {1000}


def test_random_bodies_never_break_the_service(ask_all, bodies):
    """Whatever the body is, the answer is a text or an error of the client's, and the service still works."""
    rng = random.Random(7)  # noqa: S311 - the same bodies in each run
    requests = [bodies.random_request(rng) for _ in range(500)]
    found = ask_all(requests, 8)
    broken = [request for request, exchange in zip(requests, found, strict=True) if exchange.is_server_error]
    assert not broken
    assert {200, 400} <= {exchange.status for exchange in found} <= {200, 400, 404, 422, 503}
    [after] = ask_all([("/v1/completions", LONG)], 1)
    assert len(after.text()) == 1000


def test_slow_clients_do_not_hold_up_others(ask_all, load, served):
    """More clients than places in the batch do not read. Another one gets its text, and theirs are complete when they read in the end."""
    server = served.service.server
    for listening in server.servers[0].sockets:  # whose connections inherit it
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    request = load.post("/v1/completions", {**LONG, "max_tokens": 450, "logprobs": 9, "seed": 1})
    expected = served.complete(prompt="abc", max_tokens=450, seed=1).choices[0].text
    slow = load.SlowClients(served.service.port, [request] * 70)
    try:
        [normal] = ask_all([("/v1/completions", LONG)], 1)
        assert len(normal.text()) == 1000
        assert len(server.server_state.tasks) >= 70
        for client in slow.sockets[::10]:
            exchange = load.Exchange(sent=0)
            client.settimeout(HANG_SECONDS)
            while not exchange.received.endswith(b"0\r\n\r\n"):
                exchange.received += client.recv(65536)
            assert exchange.is_whole
            assert exchange.text() == expected
    finally:
        slow.close()
