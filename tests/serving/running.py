"""Runs a service on a free port, in a thread or as a process, for tests that talk to it over real connections."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import threading
from dataclasses import dataclass

from tests.commands import installed
from textgen.serving.server import Server, open_socket

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
    server: Server | None = None
    thread: threading.Thread | None = None

    def end(self):
        """Lets the service end, as SIGTERM does."""
        assert self.server is not None
        self.server.should_exit = True

    def wait(self):
        """Waits until the service has ended."""
        assert self.thread is not None
        self.thread.join(HANG_SECONDS)
        assert not self.thread.is_alive()

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
    with open_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        server = Server(app, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        service = Service(port, server, thread)
        try:
            assert ready.wait(HANG_SECONDS)
            yield service
        finally:
            service.end()
            service.wait()


@contextlib.contextmanager
def streaming(service, body):
    """Streams a completion; yields the response after its first event."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=HANG_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            assert response.status == 200
            assert response.readline().startswith(b"data: ")
            yield response


class Process:
    """A running `textgen serve`.

    Attributes:
        process: the process.
        lines: the lines that it has printed, up to the one with its address.
        service: the service.
    """

    def __init__(self, process):
        self.process = process
        self.lines = []
        found = None
        while found is None:
            self.lines.append(process.stderr.readline())
            assert self.lines[-1], self.lines
            found = re.search(r" at http://[^ ]*:(\d+)", self.lines[-1])
        self.service = Service(int(found[1]))

    def end(self, *numbers):
        """Sends signals; returns the exit code and the rest of standard error."""
        for number in numbers:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=HANG_SECONDS)
        assert out == ""
        return self.process.returncode, err

    def wait_until_closed(self):
        """Waits until the service accepts no more connections."""
        with contextlib.suppress(ConnectionError):
            while True:
                socket.create_connection(("127.0.0.1", self.service.port)).close()


@contextlib.contextmanager
def started(*arguments, port=("--port", "0"), **environment):
    """Runs `textgen serve` until it answers, and kills it in the end.

    Args:
        arguments: the arguments.
        port: the arguments for a free port.
        environment: more variables of the environment.
    """
    command = [*installed("textgen"), "serve", *map(str, arguments), *port]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            yield Process(process)
        finally:
            process.kill()
