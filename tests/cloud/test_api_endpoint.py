"""Servers that may get the user's credentials."""

import http.server
import json
import threading

import pytest

from tests.cloud.conftest import REGION
from textgen.cli import main

pytestmark = pytest.mark.cloud

JOBS = f"{REGION}-aiplatform.googleapis.com/v1/projects/my-project/locations/{REGION}/customJobs"
COMMANDS = (
    ["doctor"],
    ["list"],
    ["status", "123"],
    ["logs", "123"],
    ["cancel", "123"],
    ["fetch", "123"],
    ["submit", "book.txt", "--bucket=my-bucket"],
    ["yaml", "book.txt", "--bucket=my-bucket"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("line", ["api_endpoint: https://evil.example", "api-endpoint: null", "trust_endpoint: true"])
def test_no_file_decides_where_credentials_go(folder, google, capsys, command, line):
    """A vertex.yaml that sets the endpoint is refused before any request, because the folder may be a stranger's."""
    with (folder / "vertex.yaml").open("a") as file:
        file.write(f"{line}\n")
    assert main.main(["vertex", *command]) == 78
    error = capsys.readouterr().err
    name = line.partition(":")[0].replace("-", "_")
    assert f"error: vertex.yaml must not contain {name}, which decides where your credentials go" in error
    assert error.count("\n") == 1
    assert google.requests == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_address_that_is_not_googles_is_refused(folder, google, capsys, command):
    """An --api_endpoint that is not Google's is refused before any request, even for a token."""
    assert main.main(["vertex", *command, "--api_endpoint=evilgoogleapis.com"]) == 2
    assert "add --trust_endpoint if your credentials may go there" in capsys.readouterr().err
    assert google.requests == []


def test_an_address_that_the_user_trusts_is_asked(folder, google, capsys):
    """With --trust_endpoint, another server, such as a local one, gets the credentials."""
    tokens = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            tokens.append(self.headers["Authorization"])
            content = json.dumps({"customJobs": []}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            """Writes nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            address = f"--api_endpoint=http://127.0.0.1:{server.server_port}"
            assert main.main(["vertex", "list", address, "--trust_endpoint"]) == 0
        finally:
            server.shutdown()
            thread.join()
    assert [token.startswith("Bearer ") for token in tokens] == [True]
    assert "There is no job in us-central1" in capsys.readouterr().err


def test_a_redirect_does_not_take_the_credentials_along(folder, google, capsys):
    """Wherever the answer leads, the token stays with the host that was asked."""
    google.redirects[f"GET {JOBS}"] = "https://elsewhere.example/jobs"
    main.main(["vertex", "list"])
    assert [request.headers["authorization"] for request in google.asked(f"{REGION}-aiplatform.googleapis.com")]
    assert not [request for request in google.asked("elsewhere.example") if "authorization" in request.headers]
