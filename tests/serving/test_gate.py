import asyncio
import errno
import json
import socket
import threading
import time

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.serving.running import HANG_SECONDS, running
from tests.serving.small_app import access_of, app_of, starting
from textgen.serving.gate import MOST_BYTES

SECURITY = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@pytest.fixture(scope="module")
def service():
    """The service as it is by default, on a loopback address."""
    with running(app_of()) as found:
        yield found


@pytest.fixture
def start():
    """A function that runs a service with options of `make_app` until the test ends."""
    with starting() as begin:
        yield begin


def test_a_service_says_whether_it_is_healthy(service):
    """/healthz answers 200 with a status."""
    answer = service.ask("GET", "/healthz")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "given", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
)
def test_only_json_is_accepted(service, given):
    """A POST of another type gets 415: these are the types that a website could send without asking."""
    assert service.ask("POST", "/echo", b"{}", Content_Type=given).status == 415


@pytest.mark.parametrize("given", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_json_may_have_a_charset(service, given):
    """Parameters of the content type do not matter."""
    assert service.ask("POST", "/echo", b"{}", Content_Type=given).status == 200


def chunked(*parts):
    """Returns a body in chunks, without the end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"


def test_a_body_over_the_limit_gets_413(service):
    """A body of 64 KiB is read; one byte more is refused, with a Content-Length and without."""
    assert json.loads(service.ask("POST", "/echo", b" " * MOST_BYTES).body) == {"bytes": MOST_BYTES}
    answer = service.ask("POST", "/echo", b" " * (MOST_BYTES + 1))
    assert answer.status == 413
    assert "65,536 bytes" in answer.error["message"]
    half = b" " * (MOST_BYTES // 2)
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert service.send(head + chunked(half, half) + b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert service.send(head + chunked(half, half, b" ") + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")


def test_a_huge_body_is_refused_before_it_is_sent(service):
    """A Content-Length over the limit is refused at once, before the client sends the body."""
    assert service.send(HEAD + b"Content-Length: 1000000000000\r\n\r\n").startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_body_with_two_lengths_is_refused(service, method):
    """A body with a Content-Length that is also chunked, in which a second request may hide, ends the connection with 400."""
    head = HEAD.replace(b"POST /echo", method + b" /healthz").replace(b"Connection: close\r\n", b"")
    body = chunked(b"{}") + b"0\r\n\r\n"
    found = service.send(head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + body + head + b"\r\n")
    assert found.startswith(b"HTTP/1.1 400")
    assert found.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("sent", [b"", b"{"])
def test_a_slow_body_gets_408(start, sent):
    """A body that does not arrive in time gets 408, and the connection is closed."""
    head = HEAD.replace(b"Connection: close\r\n", b"")
    found = start(body_seconds=0.2).send(head + b"Content-Length: 9\r\n\r\n" + sent)
    assert found.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in found.lower()


def test_a_client_that_leaves_within_its_body_is_no_failure(start, caplog):
    """A connection that ends within a body is neither logged nor counted."""
    service = start()
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{")
    service.end()
    service.wait()
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", path, 404) for path in ("/nothing", "/healthz/", "/../etc/passwd")),
        *((method, "/v1/nothing", 404) for method in ("POST", "PUT")),
        *((method, "/echo", 405) for method in ("GET", "DELETE")),
        ("POST", "/healthz", 405),
    ],
)
def test_wrong_paths_and_methods_have_the_shape_of_other_errors(service, method, path, status):
    """404 and 405 are errors in OpenAI's shape, which name the path and the allowed methods."""
    answer = service.ask(method, path, b"{}")
    assert (answer.status, answer.error["type"]) == (status, "invalid_request_error")
    assert path in answer.error["message"]
    if status == 405:
        assert answer.headers["Allow"] in answer.error["message"]


def test_the_error_of_a_long_or_odd_path_is_one_short_line(service):
    """A path of any length and kind is shown shortened and escaped."""
    for path in ("/" + "a" * 9000, "/%0a%1b[31m", "/%ff%00"):
        message = service.ask("GET", path).error["message"]
        assert len(message) < 150
        assert message.isprintable()


def test_a_mistake_of_ours_shows_nothing_but_a_line(service, caplog):
    """A handler that fails unexpectedly gives 500 without a traceback or a path, which go to the log."""
    answer = service.ask("GET", "/fail")
    assert (answer.status, answer.error["type"]) == (500, "server_error")
    assert b"Zero" not in answer.body
    assert b"/home" not in answer.body
    assert "ZeroDivisionError: /home/someone/secret.py" in caplog.text


def test_a_missing_file_of_ours_shows_no_path(service, caplog):
    """A file that the server lacks gives 500 without its path, which goes to the log as one line."""
    answer = service.ask("GET", "/lack")
    assert answer.status == 500
    assert b"/home" not in answer.body
    assert caplog.messages == ["a request failed: there is no /home/someone/book.txt; check the path"]


def test_every_answer_has_the_security_headers(service):
    """Answers, errors and the page may not be stored, framed, sniffed or read by other websites; the page sets its own policy."""
    for path in ("/", "/healthz", "/metrics", "/nothing", "/fail", "/lack"):
        headers = service.ask("GET", path).headers
        assert {name: headers[name] for name in SECURITY} == SECURITY
        policy = "default-src 'self'" if path == "/" else "default-src 'none'; frame-ancestors 'none'"
        assert headers.get_all("Content-Security-Policy") == [policy]
        assert "Server" not in headers
    assert service.ask("GET", "/healthz", Host="evil.example").headers["X-Content-Type-Options"] == "nosniff"


def test_a_draining_service_is_not_healthy():
    """While the server ends, /healthz answers 503, so that no more requests are sent to it."""
    app = app_of()
    with running(app) as service:
        app.state.is_draining = True
        answer = service.ask("GET", "/healthz")
        assert (answer.status, json.loads(answer.body)) == (503, {"status": "draining"})


def test_an_endpoint_may_have_another_route_for_its_health(start):
    """The health check is also at the given path, without a token."""
    service = start(health_route="/isalive", access=access_of(tokens=["secret"]))
    assert service.ask("GET", "/isalive").status == 200
    assert service.ask("GET", "/healthz").status == 200


def test_requests_are_counted(start):
    """/metrics counts answers by route and status; paths without a route share a name."""
    service = start()
    for path in ("/healthz", "/healthz", "/a", "/b", "/fail"):
        service.ask("GET", path)
    service.ask("GET", "/healthz", Host="evil.example")
    answer = service.ask("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = set(answer.body.decode().splitlines())
    assert lines >= {
        'textgen_requests_total{route="/healthz",status="200"} 2.0',
        'textgen_requests_total{route="unknown",status="404"} 2.0',
        'textgen_requests_total{route="/fail",status="500"} 1.0',
        'textgen_requests_total{route="unknown",status="403"} 1.0',
    }


def test_connections_without_a_request_are_closed(monkeypatch):
    """A connection that sends nothing, or only a part of a request's head, is closed after a while."""
    monkeypatch.setattr("textgen.serving.server._IDLE_SECONDS", 0.2)
    with running(app_of()) as service:
        for sent in (
            b"",
            b"GET /healthz HTTP/1.1\r\nHost: ",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /h",
        ):
            service.send(sent)  # returns once the connection is closed


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_connection_whose_client_does_not_read_is_closed(monkeypatch, is_stream):
    """If a client reads nothing of an answer for a while, its connection is closed, and so the answer ends."""
    monkeypatch.setattr("textgen.serving.server._IDLE_SECONDS", 0.2)

    async def parts():
        while True:
            await asyncio.sleep(0)
            yield b" " * 65536

    async def answer(request):
        return StreamingResponse(parts()) if is_stream else Response(b" " * (1 << 26))

    app = app_of()
    app.router.routes.insert(0, Route("/large", answer))
    with running(app) as service, socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1)
        end = time.monotonic() + HANG_SECONDS
        while service.server.server_state.connections:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_too_many_connections_are_one_line_in_the_log(start, caplog, monkeypatch):
    """If no more files can be opened, that is logged once, and clients that wait are answered as soon as it is over."""
    accept, tried = socket.socket.accept, threading.Semaphore(0)

    def fail(listening):
        tried.release()
        raise OSError(errno.EMFILE, "Too many open files")

    service = start()
    monkeypatch.setattr(socket.socket, "accept", fail)
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        for _ in range(100):
            assert tried.acquire(timeout=HANG_SECONDS)
        monkeypatch.setattr(socket.socket, "accept", accept)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert len(caplog.messages) == 1
    assert "too many files and connections are open" in caplog.text


def test_many_silent_connections_do_not_matter(service):
    """With 200 connections that send nothing, a request is answered."""
    silent = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(200)]
    assert service.ask("GET", "/healthz").status == 200
    for connection in silent:
        connection.close()


def test_a_head_that_does_not_end_is_refused(service):
    """A head over the limit gets an error, and the connection is closed."""
    found = service.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000)
    assert found.startswith(b"HTTP/1.1 400")


def test_parallel_slow_bodies_do_not_delay_others(start):
    """While a hundred clients are slow with their bodies, another request is answered."""
    service = start(body_seconds=HANG_SECONDS)
    slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(100)]
    for connection in slow:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n")
    done = threading.Event()

    def ask():
        service.ask("POST", "/echo", b"{}")
        done.set()

    threading.Thread(target=ask).start()
    assert done.wait(HANG_SECONDS / 2)
    for connection in slow:
        connection.close()
