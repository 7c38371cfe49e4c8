"""Writes to standard output, in UTF-8. Nothing that comes from a model or a service can steer the terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from textgen.console import HARMLESS, visible

_CONTROLS = re.compile("[\x7f-\x9f]")
"""The control characters that JSON need not escape."""


def text_writer() -> Callable[[str], None]:
    """Returns a function that writes pieces of a text to standard output.

    On a terminal, lines are wrapped between words, and characters that could steer it are escaped: the model may come from
    anywhere.
    """
    if not sys.stdout.isatty():
        return put

    from textgen.cli.word_wrap import WordWrap

    wrap = WordWrap(terminal_width)
    return lambda piece: put(wrap.add(visible(piece, HARMLESS)))


def terminal_width() -> int:
    """Returns the current number of columns of the terminal; 0 if it is unknown."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # a test may replace the stream by one without a descriptor
        return 0


def put(piece: str) -> None:
    """Writes a piece to standard output, which is flushed after each piece on a terminal, and after each line in a pipe."""
    sys.stdout.write(piece)
    if "\n" in piece or sys.stdout.isatty():
        sys.stdout.flush()


def encode_output(errors: str) -> None:
    """Sets the encoding of standard output to UTF-8, whatever the locale.

    Args:
        errors: the error handler for surrogates, which represent bytes of a prompt or a path that are not UTF-8.
            `surrogateescape` writes these bytes.
    """
    sys.stdout.reconfigure(encoding="utf-8", errors=errors)  # type: ignore[union-attr]


def put_json(fields: Mapping[str, Any]) -> None:
    """Writes an object as a line of JSON. On a terminal, all control characters are escaped."""
    line = json.dumps(fields, ensure_ascii=False, allow_nan=False)
    if sys.stdout.isatty():
        line = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    put(f"{line}\n")


def write_line(*cells: str, kept: str = "") -> None:
    """Writes a line, and flushes it.

    Args:
        cells: the parts of the line, which are separated by tabs.
        kept: the control characters to write as they are; see `textgen.console.visible`.
    """
    encode_output("backslashreplace")
    put("\t".join(visible(cell, kept) for cell in cells) + "\n")
    sys.stdout.flush()


def write_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Writes a table; if it is wider than the terminal, the first cell of each row is on a line of its own, above the others."""
    rows = [tuple(map(visible, row)) for row in rows]
    lines = _aligned(rows)
    width = terminal_width()
    if width and max(map(len, lines)) > width:
        names, *cells = zip(*rows, strict=True)
        lines = [line for pair in zip(names, _aligned(zip(*cells, strict=True), "  "), strict=True) for line in pair]
    sys.stdout.writelines(line + "\n" for line in lines)


def _aligned(rows: Iterable[tuple[str, ...]], indent: str = "") -> list[str]:
    """Returns rows as lines, in which each column begins at the same place."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return [(indent + "  ".join(line)).rstrip() for line in cells]
