"""Opens a text in the user's editor."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from textgen.errors import DataError, InputOutputError, TextgenError, UsageError, from_os_error


def find_editor() -> str | None:
    """The command in `VISUAL`, or else in `EDITOR`; None if neither is set."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or None


def edit(editor: str, text: str, accept: Callable[[str], None]) -> None:
    """Opens a text in an editor, through a temporary file.

    Args:
        editor: the command, with any arguments of its own.
        text: the text. The file ends with a line end, as editors expect.
        accept: takes the edited text, without that line end.

    Raises:
        UsageError: the editor cannot be started.
        InputOutputError: the editor fails; nothing is accepted.
        DataError: `accept` raised it. The message names the file, which is kept so that no work is lost.
    """
    path = _write(text)
    try:
        _run(editor, path)
        content = path.read_bytes().decode("utf-8", "surrogateescape")
        accept(content.replace("\r\n", "\n").removesuffix("\n"))
    except OSError as error:
        raise from_os_error(error, f"cannot edit {path}") from error
    except DataError as error:
        raise DataError(f"{error}; what you wrote is kept in {path}") from error
    except TextgenError:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def _write(text: str) -> Path:
    try:
        with tempfile.NamedTemporaryFile(prefix="textgen-", suffix=".txt", delete=False) as file:
            file.write(f"{text}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise from_os_error(error, "cannot write a temporary file to edit") from error
    return Path(file.name)


def _run(editor: str, path: Path) -> None:
    """Runs the editor to its end; meanwhile Ctrl-C reaches the editor alone."""
    try:
        process = subprocess.Popen([*shlex.split(editor), str(path)])  # noqa: S603 - the user's own editor
    except (OSError, ValueError) as error:
        raise UsageError(f"VISUAL or EDITOR must name an editor, and {editor} cannot be started: {error}") from error
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, ours)
    if code != 0:
        raise InputOutputError(f"{editor} ended with {code}; the text stays as it was")
