"""`textgen-sample --interactive` on a terminal of its own."""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import installed

HANG_SECONDS = 60.0
COMMAND = [*installed("textgen-sample"), "--interactive", "--seed=1", "--length=20"]

TERMINAL_OWNER = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes standard input the process' controlling terminal, so that Ctrl-C reaches it, and runs the command given as arguments."""


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Terminal:
    """A running session and its terminal.

    Args:
        job: the model.
        options: flags of `textgen-sample`.
        environment: variables to add to the environment.

    Attributes:
        seen: the output that `expect` has not passed yet.
        process: the session.
    """

    def __init__(self, job, *options, **environment):
        ours, theirs = os.openpty()
        self._file = ours
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", TERMINAL_OWNER, *COMMAND, str(job), *options],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb", "INPUTRC": os.devnull, **environment},
        )
        os.close(theirs)

    def type(self, text):
        os.write(self._file, text.encode())

    def expect(self, pattern, again=""):
        """Waits until the output matches a pattern, and drops the output up to the end of the match.

        Args:
            pattern: a regular expression.
            again: what to type whenever there is no output for a second, because readline may handle Ctrl-C only with
                the next key.
        """
        until = time.monotonic() + HANG_SECONDS
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < until, self.seen
            if select.select([self._file], [], [], 1)[0]:
                self.seen += self._read()
            else:
                self.type(again)
        self.seen = self.seen[found.end() :]

    def end(self):
        """Waits for the end of the session; returns its exit code and its remaining output."""
        while select.select([self._file], [], [], HANG_SECONDS)[0] and (text := self._read()):
            self.seen += text
        return self.process.wait(HANG_SECONDS), self.seen

    def close(self):
        os.close(self._file)
        self.process.kill()
        self.process.wait(HANG_SECONDS)

    def _read(self):
        try:
            return os.read(self._file, 1 << 16).decode().replace("\r\n", "\n")
        except OSError:  # raised by Linux once the other side is closed
            return ""


@pytest.fixture
def terminal(trained):
    """A function that starts a session on a terminal."""
    started = []

    def start(*options, **environment):
        started.append(Terminal(trained.job, *options, **environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_a_terminal_shows_a_prompt_and_mentions_help(terminal):
    """A terminal has a prompt for each line; at the end, a text that was not saved is mentioned."""
    there = terminal()
    there.expect("/help shows all commands")
    there.expect("> $")
    there.type("The sea\r")
    there.expect("The sea\nThe sea.{20}\n> $")
    there.type("\x04")
    code, rest = there.end()
    assert code == 0
    assert "The text was not saved; use /save FILE before /quit." in rest
    assert rest.endswith("\n")


def test_a_saved_text_is_not_mentioned(terminal):
    """A session that ends with a saved text does not say that it was not saved."""
    there = terminal()
    there.expect("> $")
    there.type("The sea\r/save x.txt\r")
    there.expect("Saved 27 characters")
    there.type("/quit\r")
    code, rest = there.end()
    assert (code, "not saved" in rest) == (0, False)


def test_lines_can_be_edited_and_recalled(terminal):
    """On a terminal, backspace edits a line and the up arrow recalls the last one."""
    there = terminal("--no-echo")
    there.expect("> $")
    there.type("/set length 3x\b\r")
    there.expect("\nlength 3\n")
    there.type("\x1b[A\b4\r")
    there.expect("\nlength 4\n")


def test_ctrl_c_at_the_prompt_of_a_terminal_loses_nothing(terminal):
    """Ctrl-C at the prompt does not end the session, because it may be late; it prints how to end it, and keeps the text."""
    there = terminal("--prompt", "The sea")
    there.expect("The sea.{20}\n> $")
    there.type("half a li")
    there.expect("half a li")
    there.type("\x03")
    there.expect("Use /quit or Ctrl-D to end", again="\x03")
    there.expect("> $")
    there.type("/show\r")
    there.expect("The sea.{20}\n> $", again="/show\r")  # a late Ctrl-C may have cleared the line
    there.type("/quit\r")
    assert there.end()[0] == 0


def test_ctrl_c_on_a_terminal_stops_a_passage(terminal):
    """Ctrl-C stops the passage, and the prompt follows."""
    there = terminal("--length=2000000000")
    there.expect("> $")
    there.type("The sea\r")
    there.expect("The sea\nThe sea(?s:.){50}")
    there.type("\x03")
    there.expect("\n> $")
    there.type("/quit\r")
    assert there.end()[0] == 0


def test_the_editor_of_the_user_gets_the_text(terminal):
    """/edit opens the whole text in $VISUAL, and replaces it by the edited text."""
    there = terminal("--prompt", "The sea", VISUAL="sed -i s/sea/captain/", EDITOR="false", TMPDIR=str(Path.cwd()))
    there.expect("> $")
    there.type("/edit\r")
    there.expect("The text now ends with ")
    there.expect("> $")
    there.type("/show\r")
    there.expect("The captain.{20}\n> $")
    there.type("/undo\r")
    there.expect("The text is empty")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("false", "false exited with code 1; the text is unchanged"),
        ("no-such-editor", "must name an editor, got no-such-editor, which cannot be started"),
        ("'", "must name an editor, got ', which cannot be started"),
        ("rm", "cannot edit .*there is no such file"),
    ],
)
def test_an_editor_that_fails_changes_nothing(editor, message, terminal):
    """If the editor fails, the session continues with the old text, after one line, and the temporary file is removed."""
    there = terminal("--prompt", "The sea", EDITOR=editor, VISUAL="", TMPDIR=str(Path.cwd()))
    there.expect("> $")
    there.type("/edit\r")
    there.expect(message)
    there.expect("> $")
    there.type("/show\r")
    there.expect("The sea.{20}\n> $")
    assert list(Path().iterdir()) == []


def test_an_edited_text_that_is_refused_is_not_lost(terminal):
    """If the model does not know the edited text, the message names the file that still contains it."""
    there = terminal("--prompt", "The sea", EDITOR="sed -i s/sea/☃/", VISUAL="", TMPDIR=str(Path.cwd()))
    there.expect("> $")
    there.type("/edit\r")
    there.expect("does not know '☃'.*your text is kept in ")
    there.expect("> $")
    assert "The ☃" in next(Path().iterdir()).read_text()
