"""Writes lines to standard output. Nothing in a service's answer can steer the terminal."""

from __future__ import annotations

import sys

from textgen.cli.sample_output import encode_output, put
from textgen.console import visible


def write_line(*cells: str, kept: str = "") -> None:
    """Writes a line, and flushes it.

    Args:
        cells: the parts of the line, which are separated by tabs.
        kept: the control characters to write as they are; see `textgen.console.visible`.
    """
    encode_output("backslashreplace")
    put("\t".join(visible(cell, kept) for cell in cells) + "\n")
    sys.stdout.flush()
