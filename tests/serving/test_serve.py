import contextlib
import gc
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.commands import needs_permissions
from tests.serving.running import HANG_SECONDS, running, started, streaming
from textgen.cli import serve
from textgen.errors import UsageError
from textgen.generation import write_model
from textgen.serving import server
from textgen.serving.app import make_app
from textgen.serving.models import Models

LONG = {"prompt": "ab", "max_tokens": 400, "n": 4, "stream": True}
"""A request whose texts take a while with the model `slow`."""

ENDLESS = {**LONG, "max_tokens": 4000, "n": 32}
"""A request whose texts take longer than a test."""


@pytest.fixture
def job(tmp_path, random_model, monkeypatch):
    """The job `job/tiny`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job" / "tiny"
    path.mkdir(parents=True)
    (path / "config.yaml").touch()
    write_model(path / "model.safetensors", random_model())
    return path


@pytest.fixture
def slow(tmp_path, random_model, monkeypatch):
    """A model file that takes a moment for each token."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "slow.safetensors"
    write_model(path, random_model(layers=1, lstm_state_size=768))
    return path


@pytest.fixture
def start():
    """A function that runs `textgen serve` with some arguments until the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(started(*arguments))


def test_the_address_and_the_models_are_one_line(job, slow, start):
    """Once the service answers, it prints one line with the models and the address, and nothing for requests."""
    running_one = start("tiny", slow)
    assert running_one.lines == [f"Serving tiny, slow at http://127.0.0.1:{running_one.service.port}\n"]
    assert running_one.service.ask("GET", "/healthz").status == 200
    assert running_one.service.ask("GET", "/nothing").status == 404
    assert running_one.service.ask("POST", "/v1/completions", {"prompt": "ab", "model": "slow"}).status == 200
    running_one.service.send(b"nonsense\r\n\r\n")
    assert running_one.end(signal.SIGTERM) == (0, "")


def test_what_stays_loaded_is_not_searched_for_garbage():
    """While the service runs, what was loaded before is left out of the search for garbage, which stops all texts."""
    found = []

    def note_and_end():
        found.append(gc.get_freeze_count())
        signal.raise_signal(signal.SIGTERM)

    tracked = len(gc.get_objects())
    with server.open_socket("127.0.0.1", 0) as listening:
        server.serve(make_app(Models([])), listening, note_and_end)
    assert found[0] > tracked // 2
    assert gc.get_freeze_count() == 0


def test_sigterm_lets_running_texts_end(slow, start):
    """After SIGTERM no connection is accepted, a running stream is written to its end, and the exit code is 0."""
    running_one = start(slow)
    with streaming(running_one.service, LONG) as response:
        running_one.process.send_signal(signal.SIGTERM)
        running_one.wait_until_closed()
        events = [line.removeprefix(b"data: ") for line in response.read().splitlines() if line]
    assert events[-1] == b"[DONE]"
    reasons = [json.loads(event)["choices"][0]["finish_reason"] for event in events[:-1]]
    assert reasons.count("length") == LONG["n"]
    assert running_one.end() == (0, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_at_once(slow, start, number, code):
    """While running texts end, another signal ends the process without waiting for them."""
    running_one = start(slow)
    with streaming(running_one.service, ENDLESS):
        running_one.process.send_signal(signal.SIGTERM)
        running_one.wait_until_closed()
        assert running_one.end(number) == (code, "")


def test_ctrl_c_ends_at_once(slow, start):
    """Ctrl-C ends the service with 130, also within a stream, and prints nothing more."""
    running_one = start(slow)
    with streaming(running_one.service, LONG):
        assert running_one.end(signal.SIGINT) == (130, "")


PAUSED = """
import sys, time
name, *arguments = sys.argv[1:]

def pause(event, values):
    if event == "import" and values[0] == name:
        print("paused", flush=True)
        while True:
            time.sleep(0.01)

from textgen.cli.start import textgen
sys.argv[1:] = ["serve", *arguments]
sys.addaudithook(pause)
sys.exit(textgen())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("module", ["numpy", "uvicorn", "textgen.serving.models"])
def test_a_signal_before_the_service_answers_ends_at_once(job, number, code, module):
    """While the service starts, SIGTERM ends it with 0, and Ctrl-C with 130, without a traceback."""
    command = [sys.executable, "-c", PAUSED, module, "tiny", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        timer = threading.Timer(HANG_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "paused\n"
        process.send_signal(number)
        _, err = process.communicate()
        timer.cancel()
    assert (process.returncode, err) == (code, "")


def test_signals_after_the_end_change_nothing(job):
    """Once the service has ended after SIGTERM, further signals do not change the exit code. Until then it is not healthy."""
    program = """
import os, signal, sys
from textgen.cli import serve
from textgen.console import Console
from textgen.serving import app, server

apps = []

def make(*arguments, **options):
    apps.append(app_before(*arguments, **options))
    return apps[0]

app_before, app.make_app = app.make_app, make
Console.say = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
code = serve.main(["tiny", "--port=0"])
for number in (signal.SIGINT, signal.SIGTERM):
    os.kill(os.getpid(), number)
print(apps[0].state.is_draining)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_texts_that_take_too_long_end_with_an_error(slow, monkeypatch):
    """A text that does not end in time after SIGTERM ends with an event that says so."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0)
    app = make_app(Models([slow]))
    with running(app) as service, streaming(service, ENDLESS) as response:
        service.end()
        *_, last = [line for line in response.read().splitlines() if line]
    assert json.loads(last.removeprefix(b"data: "))["error"]["type"] == "server_error"


def refused(capsys, *arguments):
    """Returns the exit code and the one line of a `textgen serve` that does not start."""
    code = serve.main(arguments)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1), err
    return code, err.removeprefix("textgen serve: error: ").rstrip("\n")


def test_a_port_in_use_is_69(job, capsys):
    """A port that another program uses ends the command with 69 and one line, before the model is read."""
    (job / "model.safetensors").write_bytes(b"damaged")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, line = refused(capsys, "tiny", "--port", str(port))
    assert code == 69
    assert line == (
        f"port {port} of 127.0.0.1 is already in use; stop the program that uses it, or choose another port with --port"
    )


@needs_permissions
def test_a_forbidden_port_is_77(job, capsys):
    """A port that the user may not use ends the command with 77."""
    code, line = refused(capsys, "tiny", "--port", "1")
    assert code == 77
    assert line.startswith("you may not use port 1 of 127.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing"], 66, "there is neither missing nor job/missing; "),
        (["tiny", "missing"], 66, "there is neither missing nor job/missing; "),
        (["empty", "--port=0"], 66, "empty contains no model"),
        (["tiny", "--port=65536"], 2, "--port must be at least 0 and at most 65,535, got 65536"),
        (["tiny", "--host", "192.0.2.1"], 2, "--host must be a name or an address of this machine, got 192.0.2.1"),
        (["tiny", "--host", "no such host"], 2, "--host must be a name or an address of this machine"),
        (["tiny", "--host", "a" * 300], 2, "--host must be a name or an address of this machine"),
        (["tiny", "--host", ".."], 2, "--host must be a name or an address of this machine"),
        (["tiny", "--token_file", "missing"], 66, "cannot read missing: there is no such file"),
        (["tiny", "--token_file", "empty"], 74, "cannot read empty: Is a directory"),
        (["tiny", "--token_file", "tokens.txt"], 65, "tokens.txt must contain one token per line, got none"),
        (["tiny", "--cors", "*"], 2, "--cors must be an origin"),
        (["tiny", "--allow_host", "a b"], 2, "--allow_host must be a name"),
    ],
)
def test_bad_arguments_are_one_line(job, capsys, arguments, code, message):
    """Arguments that make no sense end the command with one line, which names what is wrong."""
    Path("empty").mkdir()
    Path("tokens.txt").write_text("\n")
    found, line = refused(capsys, *arguments)
    assert found == code, line
    assert line.startswith(message)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])  # noqa: S104
def test_any_address_of_this_machine_can_be_used(host):
    """The service listens on any address, of IPv4 or IPv6, and prints it as it is written in a browser."""
    try:
        listening = server.open_socket(host, 0)
    except UsageError:
        assert ":" in host  # a machine without IPv6
        pytest.skip("this machine has no IPv6")
    with listening:
        port = listening.getsockname()[1]
        target = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host)  # noqa: S104
        socket.create_connection((target, port), timeout=HANG_SECONDS).close()
        name = f"[{host}]" if ":" in host else host
        assert server.address_of(listening, host) == f"http://{name}:{port}"


def test_answers_are_not_delayed():
    """Connections send the parts of an answer at once, without waiting until earlier ones are acknowledged."""
    with (
        server.open_socket("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname(), timeout=HANG_SECONDS),
        listening.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_without_a_job_the_newest_is_served(job, start):
    """Without JOB, the newest job is served, as textgen-sample uses it."""
    first, second = start().lines
    assert first == "Using the newest job, job/tiny\n"
    assert second.startswith("Serving tiny at http://127.0.0.1:")


def test_a_service_for_others_should_need_a_token(job, start):
    """On an address that others can reach, a missing --token_file is a warning; so is one that other users can read."""
    everywhere = ("tiny", "--host", "0.0.0.0")  # noqa: S104
    warning, line = start(*everywhere).lines
    assert (
        warning
        == "warning: anyone who can reach 0.0.0.0 can use this service; require a token with --token_file FILE\n"
    )
    assert line.startswith("Serving tiny at http://0.0.0.0:")
    tokens = Path("tokens.txt")
    tokens.write_text("secret\n")
    tokens.chmod(0o600)
    guarded = start(*everywhere, "--token_file", tokens)
    assert len(guarded.lines) == 1
    assert guarded.service.ask("GET", "/v1/models").status == 401
    assert guarded.service.ask("GET", "/v1/models", Authorization="Bearer secret").status == 200
    tokens.chmod(0o644)
    warning, _ = start("tiny", "--token_file", tokens).lines
    assert warning == "warning: other users of this machine can read tokens.txt; run chmod 600 on it\n"
