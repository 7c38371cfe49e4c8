"""Writes lines to standard output in which nothing that a service of Google answers can steer the terminal."""

from __future__ import annotations

import sys

from textgen.cli.sample_output import encode_output, put
from textgen.console import visible


def write_line(*cells: str, kept: str = "") -> None:
    """Writes a line, which is seen at once, also through a pipe.

    Args:
        cells: with a tab between them.
        kept: as `textgen.console.visible` has it.
    """
    encode_output("backslashreplace")
    put("\t".join(visible(cell, kept) for cell in cells) + "\n")
    sys.stdout.flush()
