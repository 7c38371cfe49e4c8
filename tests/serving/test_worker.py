import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.serving.running import HANG_SECONDS
from textgen.config import SamplingConfig
from textgen.generation import TextGenerator
from textgen.generation.engine import BatchEngine
from textgen.generation.reading import MOST_ROWS
from textgen.generation.step import LSTMRun
from textgen.serving import streaming
from textgen.serving.failures import RequestError
from textgen.serving.threads import AT_ONCE, LONG, MOST
from textgen.serving.worker import MOST_OF_ONE, MOST_WAITING, Texts, Worker


def wait_until(condition):
    """Waits until a condition holds, which must be soon."""
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def gate(monkeypatch):
    """A gate before each step of an engine: nothing is written while it is closed. It is open at first."""
    gate = threading.Event()
    gate.set()
    step = BatchEngine.step

    def wait_and_step(engine):
        assert gate.wait(5 * HANG_SECONDS)  # longer than a test may take
        return step(engine)

    monkeypatch.setattr(BatchEngine, "step", wait_and_step)
    yield gate
    gate.set()


def start(service, path="/v1/completions", **fields):
    """Sends a request, and returns its connection without reading an answer. For a completion, the prompt is optional."""
    if path == "/v1/completions":
        fields.setdefault("prompt", "a")
    body = json.dumps(fields).encode()
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=HANG_SECONDS)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


@pytest.mark.parametrize("fields", [{"stream": True}, {}, {"n": 3}, {"stream": True, "n": 3}], ids=str)
def test_a_client_that_leaves(served, gate, fields):
    """The texts of a client that leaves are given up, streamed or not, in the batch or waiting; others are not changed."""
    worker = next(iter(served.models)).worker
    expected = served.complete(prompt="ab", max_tokens=500, seed=1).choices[0].text
    gate.clear()
    count = fields.get("n", 1)
    connection = start(served.service, max_tokens=4000, **fields)
    others = [start(served.service, max_tokens=4000, n=64) for _ in range(2)]
    wait_until(lambda: worker.rows + worker.waiting == count + 128)
    connection.close()
    wait_until(lambda: worker.rows + worker.waiting == 128)
    for other in others:
        other.close()
    wait_until(lambda: worker.rows + worker.waiting == 0)
    gate.set()
    wait_until(lambda: worker._thread is None)
    assert worker._engine._rows == []
    assert served.complete(prompt="ab", max_tokens=500, seed=1).choices[0].text == expected


def test_a_client_that_leaves_in_the_middle(served, gate):
    """The text of a stream that its client closes after some events is given up, before another token is written."""
    worker = next(iter(served.models)).worker
    stream = served.complete(prompt="a", max_tokens=4096, stream=True)
    assert next(stream).choices[0].text
    gate.clear()
    stream.close()
    wait_until(lambda: worker.rows == 0)
    gate.set()
    wait_until(lambda: worker._thread is None)


def test_a_full_queue(served, gate):
    """A text beyond the queue is refused with 503 and Retry-After, and written once there is room again."""
    worker = next(iter(served.models)).worker
    gate.clear()
    connections = [start(served.service, max_tokens=2, n=64) for _ in range((MOST_ROWS + MOST_WAITING) // 64)]
    wait_until(lambda: worker.rows + worker.waiting == MOST_ROWS + MOST_WAITING)
    answer = served.service.ask("POST", "/v1/completions", {"prompt": "a"})
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.error["code"] == "queue_full"
    figures = served.service.ask("GET", "/metrics").body.decode()
    assert f'textgen_waiting_rows{{model="model"}} {worker.waiting:.1f}' in figures
    gate.set()
    for connection in connections:
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert len(json.loads(response.read())["choices"]) == 64
        connection.close()
    assert len(served.complete(prompt="a").choices[0].text) == 16


@pytest.fixture
def allow(monkeypatch):
    """A function that allows an engine some more steps; at first, it may make none."""
    step, allowed = BatchEngine.step, threading.Semaphore(0)

    def wait_and_step(engine):
        assert allowed.acquire(timeout=HANG_SECONDS)
        return step(engine)

    monkeypatch.setattr(BatchEngine, "step", wait_and_step)
    yield allowed.release
    allowed.release(1 << 20)


@pytest.mark.parametrize("path", ["/v1/completions", "/predict"])
@pytest.mark.parametrize("requests", [1, 2, 3])
def test_large_requests_leave_room_for_others(served, allow, path, requests):
    """While requests with more texts than the batch has places are written, the text of another joins it with the next step."""
    worker = next(iter(served.models)).worker
    many = {"instances": ["a"] * 128, "parameters": {"length": 100}}
    body = many if path == "/predict" else {"max_tokens": 100, "n": 128 if requests < 3 else 100}
    with ThreadPoolExecutor(requests) as pool:
        answers = [pool.submit(served.service.ask, "POST", path, body) for _ in range(requests)]
        waiting = min(MOST_OF_ONE, 128) if path == "/predict" else body["n"]
        wait_until(lambda: worker.rows + worker.waiting == requests * waiting)
        assert worker.rows == MOST_OF_ONE + requests - 1
        with start(served.service, max_tokens=1) as other:
            wait_until(lambda: worker.rows == MOST_OF_ONE + requests)
            allow(2)
            assert other.recv(1000).startswith(b"HTTP/1.1 200")
        allow(1 << 20)
        for answer in answers:
            assert answer.result().status == 200
            found = json.loads(answer.result().body)
            assert len(found.get("predictions", found.get("choices"))) == (128 if path == "/predict" else body["n"])


def test_large_requests_share_the_places(served, allow):
    """When texts of a large request end, their places go to the request that has fewest."""
    worker = next(iter(served.models)).worker
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(served.service.ask, "POST", "/v1/completions", {"max_tokens": 1, "n": 100})]
        wait_until(lambda: worker.rows == MOST_OF_ONE)
        answers.append(pool.submit(served.service.ask, "POST", "/v1/completions", {"max_tokens": 2, "n": 100}))
        wait_until(lambda: worker.rows == MOST_OF_ONE + 1)
        allow(1)
        wait_until(lambda: worker.waiting == 200 - 2 * MOST_OF_ONE - 1)
        assert sorted(worker._places.values()) == [MOST_OF_ONE // 2, MOST_OF_ONE // 2 + 1]
        allow(1 << 20)
        assert [answer.result().status for answer in answers] == [200, 200]


@pytest.mark.parametrize("error", [MemoryError(), ValueError("a bug")], ids=repr)
def test_a_failure_of_the_engine(served, gate, monkeypatch, caplog, error):
    """If the engine fails, the requests that wait for it get an error, streamed or not, and later ones are answered."""
    expected = served.complete(prompt="ab", max_tokens=100, seed=1).choices[0].text
    worker = next(iter(served.models)).worker
    gate.clear()
    answers = []

    def ask():
        try:
            answers.append(served.complete(prompt="a", max_tokens=4000))
        except openai.InternalServerError as failure:
            answers.append(failure.status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    stream = served.complete(prompt="a", max_tokens=4000, stream=True)
    wait_until(lambda: worker.rows == 2)

    def fail(self):
        self._noise = None  # as if it had failed half-way
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(BatchEngine, "_arrange", fail)
        gate.set()
        with pytest.raises(openai.APIError, match="because of a bug"):
            list(stream)
        asking.join(HANG_SECONDS)
    assert answers == [500]
    [record] = caplog.records
    assert record.exc_info[1] is error
    assert served.complete(prompt="ab", max_tokens=100, seed=1).choices[0].text == expected


def test_a_client_that_does_not_read(served):
    """Clients that do not read their streams hold nobody up."""
    slow = [start(served.service, max_tokens=4096, stream=True, n=4, logprobs=5) for _ in range(20)]
    assert len(served.complete(prompt="a", max_tokens=1000).choices[0].text) == 1000
    worker = next(iter(served.models)).worker
    wait_until(lambda: worker.rows == 0)
    for connection in slow:
        connection.close()


def test_pings(served, gate, monkeypatch):
    """A stream that waits for its first token gets comments, so that nothing between takes the connection for dead."""
    monkeypatch.setattr(streaming, "_SECONDS_TO_PING", 0.01)
    gate.clear()
    with start(served.service, max_tokens=3, stream=True, seed=1) as connection:
        found = b""
        while found.count(b": waiting\n\n") < 2:
            found += connection.recv(1000)
        gate.set()
        while b"[DONE]" not in found:
            found += connection.recv(1000)


def test_draining(served, gate):
    """A server that is shutting down writes the texts that it has, and refuses others."""
    gate.clear()
    stream = served.complete(prompt="a", max_tokens=1000, stream=True)
    worker = next(iter(served.models)).worker
    wait_until(lambda: worker.rows == 1)
    served.models.drain()
    with pytest.raises(openai.InternalServerError, match="shutting down"):
        served.complete(prompt="a")
    gate.set()
    assert sum(len(event.choices[0].text) for event in stream) == 1000


def test_closing(served, gate):
    """What is still being written when a server closes ends with an error."""
    gate.clear()
    stream = served.complete(prompt="a", max_tokens=1000, stream=True)
    worker = next(iter(served.models)).worker
    wait_until(lambda: worker.rows == 1)
    served.models.close()
    with pytest.raises(openai.APIError, match="shutting down"):
        list(stream)


def test_long_prompts_do_not_hold_texts_up(served, monkeypatch):
    """While many long prompts are read, other texts are written to their ends; too many long ones are refused."""
    reads, is_read = threading.Event(), threading.Event()
    prepare = BatchEngine.prepare

    def wait_and_prepare(engine, rows, *check):
        if any(len(row.ids) > 10_000 for row in rows):
            reads.set()
            assert is_read.wait(HANG_SECONDS)
        prepare(engine, rows, *check)

    monkeypatch.setattr(BatchEngine, "prepare", wait_and_prepare)
    connections = [start(served.service, prompt="a" * 20_000) for _ in range(45)]
    assert reads.wait(HANG_SECONDS)
    assert len(served.complete(prompt="a", max_tokens=500).choices[0].text) == 500
    is_read.set()
    for connection in connections:
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status in {200, 503}
        connection.close()


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/score"])
def test_long_texts_take_turns(served, monkeypatch, path):
    """While as many long texts are read as can be at once, a shorter one that comes later is read in turn with them."""
    name, field = ("read", "prompt") if path == "/v1/completions" else ("read_with_logits", "text")
    compute, allowed, began = getattr(LSTMRun, name), threading.Semaphore(0), threading.Semaphore(0)

    def wait_and_compute(run, texts):
        began.release()
        assert allowed.acquire(timeout=HANG_SECONDS)
        return compute(run, texts)

    monkeypatch.setattr(LSTMRun, name, wait_and_compute)
    long = [start(served.service, path, **{field: "a" * 60_000}) for _ in range(AT_ONCE)]
    for _ in long:
        assert began.acquire(timeout=HANG_SECONDS)
    short = start(served.service, path, **{field: "a" * (LONG + 1)})
    threads = served.service.server.config.app.state.threads
    wait_until(lambda: len(threads._turns._waiting) == 1)
    allowed.release(60)  # of 235 that each of the long ones needs
    assert short.recv(1000).startswith(b"HTTP/1.1 200")
    for each in long:
        each.setblocking(False)
        with pytest.raises(BlockingIOError):
            each.recv(1)
        each.close()
    short.close()
    allowed.release(1 << 20)


def test_texts_that_are_given_up_while_they_are_prepared(random_model):
    """Texts that are given up before they are admitted are not written, and leave their places to others."""
    generator = TextGenerator(random_model())
    worker = Worker(generator.engine, most_waiting=1)
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        texts, others = Texts(loop), Texts(loop)
        worker.reserve(texts, MOST_ROWS + 1)
        with pytest.raises(RequestError):
            worker.reserve(others, 1)
        rows = list(generator.start(generator.read("a"), SamplingConfig(length=4), samples=MOST_ROWS + 1))
        worker.retire(texts)
        worker.admit(texts, rows, lambda: None)
        assert (worker.rows, worker._thread) == (0, None)
        worker.reserve(others, MOST_ROWS + 1)
        worker.retire(others)
        assert not worker._reserved
    assert all(sample.pieces == [] for _, sample in rows)


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"n": 4}], ids=str)
def test_the_prompts_of_clients_that_left_are_not_read(served, monkeypatch, more):
    """If clients leave while their long prompts wait to be read, these are never read, and nobody has to wait for them."""
    is_read, read, read_some = threading.Event(), [], LSTMRun.read

    def wait_and_read(run, texts):
        read.append(texts)
        assert is_read.wait(HANG_SECONDS)
        read_some(run, texts)

    monkeypatch.setattr(LSTMRun, "read", wait_and_read)
    connections = [start(served.service, prompt="a" * 3000, **more) for _ in range(MOST)]
    wait_until(lambda: len(read) == AT_ONCE)
    for connection in connections:
        connection.close()
    left = f'textgen_requests_total{{route="/v1/completions",status="499"}} {MOST:.1f}'
    wait_until(lambda: left in served.service.ask("GET", "/metrics").body.decode())
    is_read.set()
    assert served.service.ask("POST", "/v1/score", {"text": "abc"}).status == 200
    assert len(read) == AT_ONCE
