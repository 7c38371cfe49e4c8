"""Reads a text that `textgen score` is given."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from textgen.cli.prompt_text import STANDARD_INPUT, read_standard_input
from textgen.console import Console
from textgen.corpus.decoding import AUTO, read_chunks
from textgen.errors import DataError, MissingError, UsageError
from textgen.formatting import shorten
from textgen.storage import fetch, is_bucket

_LONGEST_NAME = 40


@dataclass(frozen=True)
class NamedText:
    """A text to score.

    Attributes:
        name: what to call it: the name of its file, or its first words.
        text: the text, without a byte order mark, and with LF for CRLF.
    """

    name: str
    text: str


def read_text(given: str, encoding: str) -> NamedText:
    """Reads a text.

    Args:
        given: an argument that is a text.
        encoding: that of a file; see `read_chunks`.

    Raises:
        UsageError: if it is neither a file nor a pipe.
        MissingError: if there is no such file.
        TextgenError: if it cannot be read.
        DataError: if it is empty, or is not text.
    """
    if given == STANDARD_INPUT:
        if sys.stdin.isatty():
            Console().say("Type the text, then press Ctrl-D in a line of its own.")
        text = NamedText("standard input", _as_file(read_standard_input("text")))
    elif is_bucket(given):
        text = NamedText(given, _read_file(fetch(given), encoding))
    elif os.path.lexists(given):
        text = NamedText(given, _read_file(Path(given), encoding))
    elif len(given.split()) > 1:
        text = NamedText(f'"{shorten(given, _LONGEST_NAME)}"', _as_file(given))
    else:
        raise MissingError(f"there is no file {given}; check the name, and name each file if there are several")
    if not text.text:
        raise DataError(f"{text.name} is empty; give a text of at least two tokens")
    return text


def _read_file(path: Path, encoding: str) -> str:
    if path.is_dir():
        raise UsageError(f"a text must be a file, got {path}, which is a folder; name the files in it")
    if path.exists() and not path.is_file() and not path.is_fifo():
        raise UsageError(
            f"a text must be a file, got {path}, which is a device or a socket; name a file, or - for standard input"
        )
    # Detecting the encoding reads the file twice, which a pipe does not allow.
    once = encoding == AUTO and path.is_fifo()
    return "".join(read_chunks(path, "utf-8" if once else encoding))


def _as_file(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")
