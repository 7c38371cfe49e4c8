"""Tells the models of `textgen score` from the texts, and reads the texts."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textgen.cli.prompt_text import STANDARD_INPUT, read_standard_input
from textgen.cli.typed import typed
from textgen.console import Console
from textgen.corpus.decoding import AUTO, read_chunks
from textgen.errors import DataError, UsageError
from textgen.formatting import shorten
from textgen.runs.find_job import find_job
from textgen.storage import is_bucket

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


def sort_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tells models from texts, by the rule in `--help`.

    Returns:
        The paths and URIs of the models, and the texts, each as it was given.

    Raises:
        MissingError: if an argument is neither.
        UsageError: if standard input is given twice.
    """
    models: list[str] = []
    texts: list[str] = []
    for given in arguments:
        if _is_text(given):
            texts.append(given)
        else:
            models.append(
                find_job(
                    given,
                    f"name a job or a file, or put a text of several words in quotes; {typed('textgen')} jobs lists all jobs",
                )
            )
    if texts.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read once, got - twice; leave one out")
    return models, texts


def read_text(given: str, encoding: str) -> NamedText:
    """Reads a text.

    Args:
        given: an argument that is a text.
        encoding: that of a file; see `read_chunks`.

    Raises:
        UsageError: if it is neither a file nor a pipe.
        TextgenError: if it cannot be read.
        DataError: if it is empty, or is not text.
    """
    if given == STANDARD_INPUT:
        if sys.stdin.isatty():
            Console().say("Type the text, then press Ctrl-D in a line of its own.")
        text = NamedText("standard input", _as_file(read_standard_input("text")))
    elif os.path.lexists(given):
        text = NamedText(given, _read_file(given, encoding))
    else:
        text = NamedText(f'"{shorten(given, _LONGEST_NAME)}"', _as_file(given))
    if not text.text:
        raise DataError(f"{text.name} is empty; give a text of at least two tokens")
    return text


def _is_text(given: str) -> bool:
    if given == STANDARD_INPUT:
        return True
    if is_bucket(given):
        return False
    path = Path(given)
    if os.path.lexists(given):
        return not path.is_dir() and path.suffix != ".safetensors"
    return len(given.split()) > 1


def _read_file(name: str, encoding: str) -> str:
    path = Path(name)
    if path.exists() and not path.is_file() and not path.is_fifo():
        raise UsageError(
            f"a text must be a file, got {name}, which is a device or a socket; name a file, or - for standard input"
        )
    # Detecting the encoding reads the file twice, which a pipe does not allow.
    once = encoding == AUTO and path.is_fifo()
    return "".join(read_chunks(path, "utf-8" if once else encoding))


def _as_file(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")
