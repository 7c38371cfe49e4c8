"""Servers that may get the user's credentials."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from tests.cloud.conftest import REGION
from textgen.cli import main
from textgen.cli.vertex import submit
from textgen.errors import UnavailableError
from textgen.storage import BucketDirectory, Lease, upload_once

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


ELSEWHERE = "elsewhere-docker.pkg.dev"
"""Another host for which the stand-in has a certificate, so that it would receive requests."""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_not_followed(folder, google, capsys, monkeypatch, method):
    """If a request is redirected, the other host gets no request, and so neither the token nor the body."""
    for step in ("_check_bucket", "_upload"):
        monkeypatch.setattr(submit, step, lambda *_: None)
    monkeypatch.setattr(Lease, "check", lambda *_: None)
    google.answers["GET storage.googleapis.com/storage/v1/b/my-bucket/o"] = (200, {})
    google.redirects[f"{method} {JOBS}"] = f"https://{ELSEWHERE}/jobs"
    command = ["list"] if method == "GET" else ["submit", "book.txt", "--bucket=my-bucket", "--max_steps=1"]
    assert main.main(["vertex", *command]) == 69
    assert f"an answer leads to https://{ELSEWHERE}/jobs, where your" in capsys.readouterr().err
    assert google.asked(f"{REGION}-aiplatform.googleapis.com")
    assert not google.asked(ELSEWHERE)


def test_an_upload_is_not_redirected(folder, google):
    """If the upload of a text is redirected, the other host gets no request."""
    google.redirects["POST storage.googleapis.com/upload/storage/v1/b/my-bucket/o"] = f"https://{ELSEWHERE}/o"
    with pytest.raises(UnavailableError, match=f"an answer leads to https://{ELSEWHERE}/o"):
        upload_once(folder / "book.txt", "gs://my-bucket/book.txt", "")
    assert google.asked("storage.googleapis.com")
    assert not google.asked(ELSEWHERE)


def test_a_large_upload_goes_to_no_other_host(folder, google):
    """If the service names another host for the bytes of a large upload, that host gets no request."""
    large = folder / "large.txt"
    large.write_bytes(bytes(9 << 20))
    google.redirects["POST storage.googleapis.com/upload/storage/v1/b/my-bucket/o"] = f"https://{ELSEWHERE}/o"
    google.redirects_with = 200
    with pytest.raises(UnavailableError, match=f"an answer leads to https://{ELSEWHERE}/o"):
        upload_once(large, "gs://my-bucket/large.txt", "")
    assert not google.asked(ELSEWHERE)


def test_a_download_comes_from_no_other_host(folder, google):
    """If an object's metadata name another host for its bytes, that host gets no request."""
    facts = {"name": "x/a", "generation": "1", "size": "1", "crc32c": "AAAAAA==", "mediaLink": f"https://{ELSEWHERE}/a"}
    google.answers["GET storage.googleapis.com/storage/v1/b/my-bucket/o"] = (200, {"items": [facts]})
    google.answers["GET storage.googleapis.com/storage/v1/b/my-bucket/o/x%2Fa"] = (200, facts)
    directory = BucketDirectory("gs://my-bucket/x")
    with pytest.raises(UnavailableError, match=f"an answer leads to https://{ELSEWHERE}/a"), directory:
        directory.read("a")
    assert google.asked("storage.googleapis.com")
    assert not google.asked(ELSEWHERE)


@pytest.mark.parametrize(
    ("variable", "value", "code", "host"),
    [
        ("API_ENDPOINT_OVERRIDE", f"https://{ELSEWHERE}", 69, ELSEWHERE),
        ("API_ENDPOINT_OVERRIDE", f"https://{ELSEWHERE}/x.googleapis.com", 69, ELSEWHERE),
        ("GOOGLE_API_USE_MTLS_ENDPOINT", "always", 66, "storage.googleapis.com"),
    ],
)
def test_the_environment_does_not_decide_where_credentials_go(folder, google, variable, value, code, host):
    """A variable that Google's library obeys cannot send requests to another host, except Google's for client certificates."""
    ended = subprocess.run(
        [sys.executable, "-m", "textgen", "vertex", "fetch", "gs://my-bucket/job/x"],
        env={**os.environ, variable: value},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == code, ended.stderr
    assert not google.asked(host)
