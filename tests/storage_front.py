"""A proxy for the Cloud Storage server of the tests, which records requests and injects faults.

It also checks generation conditions that the server ignores: those of deletions and of resumable uploads.
"""

import contextlib
import http.server
import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

KEPT = ("Content-Type", "X-Goog-Hash", "X-Goog-Generation", "Location", "Range")


class Front(http.server.ThreadingHTTPServer):
    """Forwards requests to a server.

    Attributes:
        paths: the paths of all GET requests.
        requests: the methods and paths of all requests.
        faults: functions for the next answers, one each, which take and return status, headers and body.
        rule: a function of the method and the path of each request, which returns what to do with it: "refuse" answers
            503, "forbid" answers 403, "hang up" closes the connection, "stall" does the same once the client has given up,
            "lose" forwards the request but closes the connection instead of answering, and None forwards it.
    """

    daemon_threads = True

    def __init__(self, behind):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind
        self.paths = []
        self.requests = []
        self.faults = []
        self.rule: Callable[[str, str], str | None] = lambda *_: None
        self.writing = threading.Lock()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Ignores clients that hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Front

    def answer(self):
        server, method = self.server, self.command
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.requests.append((method, self.path))
        if method == "GET":
            server.paths.append(self.path)
        fate = server.rule(method, self.path)
        if fate in {"hang up", "stall"}:
            if fate == "stall":
                with contextlib.suppress(OSError):
                    self.connection.recv(1)  # returns when the client closes the connection
            self.hang_up()
            return
        if fate in {"refuse", "forbid"}:
            status, headers, content = fail(503 if fate == "refuse" else 403)()
        else:
            with server.writing:
                status, headers, content = self.pass_on(body)
        if fate == "lose":
            self.hang_up()
            return
        if server.faults:
            status, headers, content = server.faults.pop(0)(status, headers, content)
        if "/download/" not in self.path:  # the answer has the URL of a download
            content = content.replace(server.behind.encode(), server.address.encode())
        self.send_response(status)
        for name in KEPT:
            if name in headers:
                self.send_header(name, headers[name].replace(server.behind, server.address))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server calls these names

    def pass_on(self, body):
        if self.breaks_a_condition(body):
            return fail(412, "At least one of the pre-conditions you specified did not hold.")()
        kept = {name: self.headers[name] for name in ("Content-Type", "Content-Range", "Range") if self.headers[name]}
        return ask(self.server.behind + self.path, self.command, body, kept)

    def breaks_a_condition(self, body):
        """Returns whether a request has a generation condition that is not met and that the server would not check."""
        path, _, query = self.path.partition("?")
        given = urllib.parse.parse_qs(query)
        named = given.get("ifGenerationMatch")
        if named is None or (self.command != "DELETE" and given.get("uploadType") != ["resumable"]):
            return False
        if self.command != "DELETE":
            path = f"{path.removeprefix('/upload')}/{urllib.parse.quote(json.loads(body)['name'], safe='')}"
        status, _, found = ask(self.server.behind + path, "GET", b"", {})
        return int(json.loads(found)["generation"] if status == 200 else 0) != int(named[0])

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *arguments):
        """Logs nothing."""


def ask(url, method, body, headers):
    """Sends a request; returns the status, headers and body of the answer."""
    request = urllib.request.Request(url, body if method in {"POST", "PUT"} else None, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def fail(status, message="out of order"):
    """Returns a fault that replaces the answer by an error in the service's format."""
    body = json.dumps({"error": {"code": status, "message": message}}).encode()
    return lambda *_: (status, {"Content-Type": "application/json"}, body)


def keep(*answer):
    """Returns an answer unchanged: no fault."""
    return answer


def damage(status, headers, body):
    """A fault that flips one bit of the body."""
    return status, headers, bytes([body[0] ^ 1]) + body[1:]
