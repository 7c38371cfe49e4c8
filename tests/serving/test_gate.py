import json
import socket
import threading

import pytest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.serving.running import HANG_SECONDS, running
from textgen.errors import DataError, MissingError, TextgenError, UsageError
from textgen.serving.access import Access, read_tokens
from textgen.serving.app import make_app
from textgen.serving.gate import MOST_BYTES
from textgen.serving.models import Models

SECURITY = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def echo(request):
    return JSONResponse({"bytes": len(await request.body())})


async def fail(request):
    raise ZeroDivisionError("/home/someone/secret.py")


async def lack_a_file(request):
    raise MissingError("there is no /home/someone/book.txt; check the path")


async def page(request):
    return Response("page", headers={"Content-Security-Policy": "default-src 'self'"})


def app_of(**options):
    """Returns the service without models, with some more routes."""
    app = make_app(Models([]), **options)
    app.router.routes += [
        Route("/", page),
        Route("/echo", echo, methods=["POST"]),
        Route("/fail", fail),
        Route("/lack", lack_a_file),
    ]
    return app


@pytest.fixture(scope="module")
def service():
    """The service as it is by default, on a loopback address."""
    with running(app_of()) as found:
        yield found


@pytest.fixture(scope="module")
def public():
    """A service that listens on every address."""
    with running(app_of(access=access_of("0.0.0.0", allow_host=["Text.example.org."]))) as found:  # noqa: S104
        yield found


@pytest.fixture(scope="module")
def guarded():
    """A service that needs one of two tokens."""
    with running(app_of(access=access_of(tokens=["secret", "other"]))) as found:
        yield found


@pytest.fixture
def start():
    """A function that runs a service with options of `make_app` until the test ends."""
    running_now = []

    def begin(**options):
        running_now.append(running(app_of(**options)))
        return running_now[-1].__enter__()

    yield begin
    for each in running_now:
        each.__exit__(None, None, None)


def access_of(host="127.0.0.1", allow_host=(), cors=(), tokens=()):
    return Access.of(host, allow_host, cors, tokens)


def test_a_service_says_whether_it_is_healthy(service):
    """/healthz answers 200 with a status."""
    answer = service.ask("GET", "/healthz")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000"]
)
def test_a_local_service_answers_under_its_own_names(service, host):
    """On a loopback address, the Host header may be localhost, 127.0.0.1 or [::1], with any port."""
    assert service.ask("GET", "/healthz", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.4"),
        *("[::2]", "[::1", "::1", "localhost@evil.example", "localhost:x", "localhost..", "", "0.0.0.0", "127.1"),  # noqa: S104
    ],
)
def test_a_local_service_answers_under_no_other_name(service, host):
    """On a loopback address, any other Host header gets 403: a website may have let its name resolve to this machine."""
    for path in ("/", "/healthz", "/metrics", "/nothing"):
        answer = service.ask("GET", path, Host=host)
        assert (answer.status, answer.error["code"]) == (403, "host_not_allowed")


def test_a_request_without_a_host_is_refused(service):
    """HTTP/1.0 needs no Host header, but every browser sends one; HTTP/1.1 allows no request without it, or with two."""
    assert service.send(b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403")
    for hosts in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        assert service.send(b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(
            (host, 200)
            for host in ("192.168.1.4:8000", "[fe80::1]", "localhost", "text.example.org", "TEXT.example.org.:80")
        ),
        *((host, 403) for host in ("evil.example", "org", "sub.text.example.org")),
    ],
)
def test_a_public_service_answers_under_addresses_and_given_names(public, host, status):
    """On another address, the Host header may be any IP address, or a name of --allow_host."""
    assert public.ask("GET", "/healthz", Host=host).status == status


def test_a_local_service_answers_under_given_names_too(start):
    """--allow_host also adds a name to a loopback address, for a proxy on the same machine; other addresses stay refused."""
    service = start(access=access_of(allow_host=["text.example.org"]))
    assert service.ask("GET", "/healthz", Host="text.example.org").status == 200
    assert service.ask("GET", "/healthz", Host="192.168.1.4").status == 403


def test_behind_a_gateway_any_name_is_fine(start):
    """Vertex AI's gateway sends names of its own."""
    service = start(access=access_of("0.0.0.0").behind_gateway())  # noqa: S104
    assert service.ask("GET", "/healthz", Host="anything.internal:8080").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:3000", "null", "https://127.0.0.1:8000", "file://", "x"]
)
def test_a_website_cannot_use_the_service(service, method, origin):
    """A request with the Origin of another website, or of another port of this machine, gets 403 and no CORS header."""
    asked = {"Access_Control_Request_Method": "POST"} if method == "OPTIONS" else {}
    answer = service.ask(method, "/echo", b"{}", Origin=origin, **asked)
    assert (answer.status, answer.error["code"]) == (403, "origin_not_allowed")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost", "localhost:80"),
        ("http://LOCALHOST", "localhost"),
        ("https://localhost", "localhost:443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_page_of_the_service_may_use_it(service, origin, host):
    """A request whose Origin is the service itself is answered."""
    assert service.ask("POST", "/echo", b"{}", Origin=origin, Host=host).status == 200


def test_a_given_website_may_use_the_service(start):
    """With --cors, the website gets its preflight, and may read answers and errors; others may not."""
    service = start(access=access_of(cors=["https://Example.org:443/"], tokens=["secret"]))
    origin = "https://example.org"
    wanted = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type,x-stainless-os",
        "Access_Control_Request_Private_Network": "true",
    }
    answer = service.ask("OPTIONS", "/echo", Origin=origin, **wanted)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    for token, status in (("secret", 200), ("wrong", 401)):
        answer = service.ask("POST", "/echo", b"{}", Origin=origin, Authorization=f"Bearer {token}")
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, origin)
    for method in ("OPTIONS", "POST"):
        answer = service.ask(method, "/echo", b"{}", Origin="https://evil.example", **wanted)
        assert answer.status >= 400
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "given", [None, "", "secret", "Bearer", "Bearer ", "Bearer wrong", "Basic secret", "Bearer secre", "Bearer sécret"]
)
def test_a_wrong_token_gets_401(guarded, given):
    """With tokens, every path but the page and the health check needs one."""
    for method, path in (("POST", "/echo"), ("GET", "/metrics"), ("GET", "/nothing")):
        answer = guarded.ask(method, path, b"{}", Authorization=given)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for path in ("/", "/healthz"):
        assert guarded.ask("GET", path, Authorization=given).status == 200


@pytest.mark.parametrize("given", ["Bearer secret", "bearer other", "Bearer   secret "])
def test_each_token_is_enough(guarded, given):
    """Any of the tokens is accepted."""
    assert guarded.ask("POST", "/echo", b"{}", Authorization=given).status == 200


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


@pytest.mark.parametrize("sent", [b"", b"{"])
def test_a_slow_body_gets_408(start, sent):
    """A body that does not arrive in time gets 408, and the connection is closed."""
    found = start(body_seconds=0.2).send(HEAD + b"Content-Length: 9\r\n\r\n" + sent)
    assert found.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in found.lower()


def test_a_client_that_leaves_within_its_body_harms_nothing(service, capfd):
    """A connection that ends within a body is no failure."""
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{")
    assert service.ask("GET", "/healthz").status == 200
    assert capfd.readouterr() == ("", "")


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"allow_host": ["text.example.org:80"]}, "allow_host must be a name without a port"),
        ({"allow_host": ["https://x.org"]}, "allow_host must be a name"),
        ({"allow_host": ["*"]}, "allow_host must be a name"),
        ({"cors": ["example.org"]}, "cors must be an origin, such as https://example.org, got 'example.org'"),
        ({"cors": ["https://example.org/page"]}, "cors must be an origin"),
        ({"cors": ["*"]}, "cors must be an origin"),
        ({"cors": ["https://"]}, "cors must be an origin"),
    ],
)
def test_wrong_names_and_websites_are_refused(options, message):
    """A name or a website that no browser would send is refused at the start."""
    with pytest.raises(UsageError, match=f"^{message}"):
        access_of(**options)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, MissingError, "there is no such file"),
        (b"", DataError, "got none"),
        (b" \n\n", DataError, "got none"),
        (b"good\ntwo words\n", DataError, "in line 2"),
        ("café".encode(), DataError, "in line 1"),
        (b"\xff", DataError, "not UTF-8"),
    ],
)
def test_a_wrong_token_file_is_refused(tmp_path, content, error, message):
    """A token file that is missing, is empty, or has a token that cannot be sent is refused, without showing a token."""
    path = tmp_path / "tokens.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        read_tokens(path)
    assert issubclass(caught.type, TextgenError)
    assert "two words" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tokens_are_the_lines_of_a_file(tmp_path):
    """White space around tokens and empty lines do not matter."""
    path = tmp_path / "tokens.txt"
    path.write_bytes(b"first\r\n\n  second \n")
    assert read_tokens(path) == ("first", "second")


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
