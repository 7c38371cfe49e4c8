"""Reads the prompt that a command is given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from textgen.console import Console
from textgen.corpus.foreign_files import describe_foreign
from textgen.errors import DataError, UsageError, from_os_error
from textgen.formatting import shown
from textgen.runs.places import refuse_bucket

STANDARD_INPUT = "-"
FILE_PREFIX = "@"


def read_prompt(prompt: str) -> str:
    """Reads a prompt.

    Args:
        prompt: the value of `--prompt`: the prompt itself, `-` for standard input, or `@` followed by a file's name.

    Returns:
        The prompt, unchanged; it may contain a byte order mark and CRLF.

    Raises:
        UsageError: if `@` is not followed by the name of a file.
        DataError: if the prompt is not UTF-8.
        TextgenError: if it cannot be read.
    """
    if prompt == STANDARD_INPUT:
        return read_standard_input("prompt")
    if prompt.startswith(FILE_PREFIX):
        return _read_file(prompt.removeprefix(FILE_PREFIX))
    return prompt


def say_changes(changes: Sequence[str]) -> None:
    """Prints, in one line on standard error, how a prompt was respelled; prints nothing if it was not.

    Args:
        changes: the changes, from `TextGenerator.changes` or `Draft.changes`.
    """
    if changes:
        *first, last = changes
        together = f"{', '.join(first)} and {last}" if first else last
        Console().say(f"The prompt is read with {together}, as in the training text.")


def read_standard_input(what: str) -> str:
    """Reads standard input to its end.

    Args:
        what: what it is, for the error message, such as `prompt`.

    Raises:
        DataError: if it is not UTF-8.
        TextgenError: if it cannot be read.
    """
    where = f"the {what} on standard input"
    try:
        return _decode(sys.stdin.buffer.read(), where)
    except OSError as error:
        raise from_os_error(error, f"cannot read {where}") from error


def _read_file(name: str) -> str:
    refuse_bucket("--prompt @FILE", name)
    path = Path(name)
    try:
        is_readable = not path.exists() or path.is_file() or path.is_fifo()
        if not name or not is_readable:
            raise UsageError(
                f"--prompt @FILE must name a file, got {shown(name)}; if the prompt itself begins with @, use --prompt - and standard input"
            )
        return _decode(path.read_bytes(), f"the prompt file {name}")
    except OSError as error:
        raise from_os_error(error, f"cannot read the prompt file {name}") from error


def _decode(content: bytes, where: str) -> str:
    if foreign := describe_foreign(content):
        raise DataError(f"{where} is {foreign}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} must be UTF-8, but byte {error.start} is not; save it as UTF-8 first") from error
