import json

import pytest

from tests.serving.running import running
from tests.serving.small_app import access_of, app_of, starting
from textgen.errors import DataError, MissingError, TextgenError, UsageError
from textgen.serving.access import read_tokens


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
    with starting() as begin:
        yield begin


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


@pytest.mark.parametrize("path", ["/", "/healthz", "/isalive"])
def test_predictions_need_a_token_at_any_path(start, path):
    """Where the predictions have the path of the page or of a health check, they still need a token, and that does not."""
    service = start(access=access_of(tokens=["secret"]), health_route="/isalive", predict_route=path)
    assert service.ask("POST", path, {"instances": []}).status == 401
    assert service.ask("POST", path, {"instances": []}, Authorization="Bearer secret").status == 200
    assert service.ask("GET", path).status == 200


def test_a_chosen_path_wins(start):
    """A health check or predictions at the path of something else replace it, and show nothing of it without a token."""
    service = start(access=access_of(tokens=["secret"]), health_route="/v1/models", predict_route="/v1/score")
    assert json.loads(service.ask("GET", "/v1/models").body) == {"status": "ok"}
    answer = service.ask("POST", "/v1/score", {"instances": []}, Authorization="Bearer secret")
    assert json.loads(answer.body) == {"predictions": []}


@pytest.mark.parametrize("given", ["Bearer secret", "bearer other", "Bearer   secret "])
def test_each_token_is_enough(guarded, given):
    """Any of the tokens is accepted."""
    assert guarded.ask("POST", "/echo", b"{}", Authorization=given).status == 200


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
    """White space around tokens, empty lines, and the mark with which editors of Windows begin a file do not matter."""
    path = tmp_path / "tokens.txt"
    path.write_bytes(b"\xef\xbb\xbffirst\r\n\n  second \n")
    assert read_tokens(path) == ("first", "second")
