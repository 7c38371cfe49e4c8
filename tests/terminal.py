import io
import os
import sys
import termios

import pytest


@pytest.fixture
def on_terminal(monkeypatch):
    """A function that runs a command on a terminal with a number of columns, and returns its lines.

    It takes the number of columns, the command's `main` and its arguments.
    """

    def call(columns, command, arguments):
        leader, follower = os.openpty()
        termios.tcsetwinsize(follower, (24, columns))
        buffer = io.BytesIO()

        class Terminal(io.TextIOWrapper):
            def isatty(self):
                return True

            def fileno(self):
                return follower

        monkeypatch.setattr(sys, "stdout", Terminal(buffer, encoding="utf-8"))
        assert command(arguments) == 0
        sys.stdout.flush()
        os.close(leader)
        os.close(follower)
        return buffer.getvalue().decode().splitlines()

    return call
