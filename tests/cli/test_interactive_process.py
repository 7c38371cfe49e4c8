"""`textgen-sample --interactive` in another process, over pipes."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.commands import installed
from textgen.generation import load

HANG_SECONDS = 60.0
COMMAND = [*installed("textgen-sample"), "--interactive", "--seed=1", "--length=20"]
"""Takes the model as its last argument."""


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def job(trained):
    return str(trained.job)


def test_it_works_as_a_process_over_pipes(job):
    """Standard output has only the text, standard error the messages; the end of the input ends the session with 0."""
    done = subprocess.run(
        [*COMMAND, job],
        check=False,
        input="The sea\n/undo\n/nonsense\nThe sea",
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    first, again = (f"The sea{''.join(load(job).generate('The sea', seed=seed, length=20))}\n" for seed in (1, 2))
    assert (done.returncode, done.stdout) == (0, first + again)
    remark, error = done.stderr.splitlines()
    assert remark == "The text is empty."
    assert error.startswith("textgen-sample: error: there is no command '/nonsense'")


def test_unknown_characters_can_be_accepted(job):
    """With oov skip any bytes are accepted as a line, and shown and saved unchanged."""
    line = "☃ ".encode() + b"\xff\0"
    done = subprocess.run(
        [*COMMAND, job],
        check=False,
        input=b"/set oov skip\n" + line + b"\n/save x.txt\n",
        capture_output=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(line)
    assert Path("x.txt").read_bytes().startswith(line)


def test_a_closed_pipe_ends_quietly(job):
    """If the reader closes the pipe, the session ends with 0 and no message."""
    pipe = '{ yes "" | "$0" "$@"; echo "code $?" >&2; } | head -c 10'
    done = subprocess.run(
        ["/bin/sh", "-c", pipe, *COMMAND, job],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert (len(done.stdout), done.stderr) == (10, "code 0\n")


@pytest.fixture
def process(job):
    """A running session."""
    with subprocess.Popen(
        [*COMMAND, job],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        yield started
        started.kill()


def test_ctrl_c_stops_a_passage_and_keeps_what_was_written(process):
    """Ctrl-C ends the passage but not the session, and the text is what was shown of it."""
    process.stdin.write("/set length 2000000000\nThe sea\n")
    process.stdin.flush()
    shown = process.stdout.read(200)
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate("/set length 0\n/save x.txt\n", timeout=HANG_SECONDS)
    assert process.returncode == 0
    assert err.startswith("length 2000000000\nlength 0\nSaved ")
    text = Path("x.txt").read_text()
    assert text.startswith(shown)
    assert len(text) < 2000000000
    assert rest


def test_ctrl_c_ends_a_session_that_waits_for_a_program(process):
    """Without a terminal, Ctrl-C between two passages ends the session with 130, without a message."""
    process.stdin.write("The sea\n")
    process.stdin.flush()
    process.stdout.read(len("The sea") + 20 + 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, out, err) == (130, "", "")
