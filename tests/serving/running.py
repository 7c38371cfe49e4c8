"""Runs a service in a thread, on a free port, for tests that talk to it over real connections."""

import contextlib
import http.client
import json
import socket
import threading
from dataclasses import dataclass

from textgen.serving.server import Server

HANG_SECONDS = 60.0


@dataclass
class Answer:
    """What a service answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def error(self):
        """The error object, after a check of the whole shape."""
        assert self.headers["Content-Type"] == "application/json"
        found = json.loads(self.body)
        assert list(found) == ["error"]
        assert set(found["error"]) == {"message", "type", "param", "code"}
        return found["error"]


@dataclass
class Service:
    """A running service."""

    port: int

    def ask(self, method, path, body=None, **headers):
        """Sends a request; the names of headers have _ for -. A header that is None is not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_SECONDS)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host="Host" in given, skip_accept_encoding=True)
            content = json.dumps(body).encode() if isinstance(body, dict | list) else body
            if content is not None:
                given = {"Content-Type": "application/json", "Content-Length": str(len(content)), **given}
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(content or b"")
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def send(self, data):
        """Sends bytes as they are, and returns everything that comes back until the service closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANG_SECONDS) as connection:
            connection.sendall(data)
            found = b""
            while part := connection.recv(65536):
                found += part
            return found


@contextlib.contextmanager
def running(app):
    """Runs an application."""
    ready = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = Server(app, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            assert ready.wait(HANG_SECONDS)
            yield Service(port)
        finally:
            server.should_exit = True
            thread.join(HANG_SECONDS)
            assert not thread.is_alive()
