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
    """Returns the command in the environment variable `VISUAL`, or else in `EDITOR`; None if neither is set."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or None


def edit(editor: str, text: str, accept: Callable[[str], None]) -> None:
    """Opens a text in an editor, through a temporary file.

    Args:
        editor: the command, which may contain arguments.
        text: the text. In the file, a line end follows it, as editors expect.
        accept: called with the edited text, without that line end.

    Raises:
        UsageError: if the editor cannot be started.
        InputOutputError: if the editor fails; `accept` is not called.
        DataError: if `accept` raises it. The file is kept, and the message names it, so that no work is lost.
    """
    path = _write(text)
    try:
        _run(editor, path)
        content = path.read_bytes().decode("utf-8", "surrogateescape")
        accept(content.replace("\r\n", "\n").removesuffix("\n"))
    except OSError as error:
        raise from_os_error(error, f"cannot edit {path}") from error
    except DataError as error:
        raise DataError(f"{error}; your text is kept in {path}") from error
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
    """Runs the editor and waits for its end; until then, Ctrl-C reaches only the editor."""
    try:
        process = subprocess.Popen([*shlex.split(editor), str(path)])  # noqa: S603 - the user's own editor
    except (OSError, ValueError) as error:
        raise UsageError(
            f"VISUAL or EDITOR must name an editor, got {editor}, which cannot be started ({error}); set it to another one"
        ) from error
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, ours)
    if code != 0:
        raise InputOutputError(f"{editor} exited with code {code}; the text is unchanged")
