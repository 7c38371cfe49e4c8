"""A proxy in front of the tests' Cloud Storage, which records requests and makes them fail as a test wants.

It also checks the generations in requests that remove an object or upload it in parts, because the server does not.
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
    """Forwards requests.

    `paths` contains the paths of all GET requests, and `requests` all requests as pairs of method and path. `faults` are
    functions of an answer's status, headers and body, one for each of the next answers. `rule` is called with each method
    and path, and decides about the request:

    - None forwards it.
    - "refuse" answers 503 instead, "forbid" 403.
    - "hang up" closes the connection; "stall" does so only when the client has given up.
    - "lose" forwards it, and closes the connection without an answer.
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
        if "/download/" not in self.path:  # the answer contains the address of the object's bytes
            content = content.replace(server.behind.encode(), server.address.encode())
        self.send_response(status)
        for name in KEPT:
            if name in headers:
                self.send_header(name, headers[name].replace(server.behind, server.address))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

    def pass_on(self, body):
        if self.breaks_a_condition(body):
            return fail(412, "At least one of the pre-conditions you specified did not hold.")()
        kept = {name: self.headers[name] for name in ("Content-Type", "Content-Range", "Range") if self.headers[name]}
        return ask(self.server.behind + self.path, self.command, body, kept)

    def breaks_a_condition(self, body):
        """Whether a request names a generation that does not exist, if the server would not check that."""
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
    """Returns a server's answer: status, headers and body."""
    request = urllib.request.Request(url, body if method in {"POST", "PUT"} else None, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def fail(status, message="out of order"):
    """A fault: an error in the service's format."""
    body = json.dumps({"error": {"code": status, "message": message}}).encode()
    return lambda *_: (status, {"Content-Type": "application/json"}, body)


def keep(*answer):
    """No fault."""
    return answer


def damage(status, headers, body):
    """A fault: flips one bit of the body."""
    return status, headers, bytes([body[0] ^ 1]) + body[1:]
