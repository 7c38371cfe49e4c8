"""`textgen export`: exports a trained model to a file that runs without textgen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from textgen.cli.entry import ending_at_once, run_command
from textgen.config import ExportCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible
from textgen.runs.export import plan_export

PROGRAM = "textgen export"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen export`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _export, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen export`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB] --format html|keras|litert|onnx [--output PATH] [--force]",
        "Export a trained model to a file that runs without textgen.\n\n"
        "An .html file is the playground with the model inside it, for any browser. Every other file is for a\n"
        "program: it computes one step, from a token id and the states to the logits of the next token and the\n"
        "next states, and the vocabulary is in a second file next to it. Each file is checked after it is written,\n"
        "and rejected if it is not the model. The paths of the files are printed on standard output, one per line.",
        f"example:\n  {PROGRAM} story-384-states-1-layers-384-embed --format onnx\n\n"
        "docs/export.md shows how each file is used.",
    )
    parser.add_settings(ExportCommand)
    parser.add_help_and_version()
    return parser


def _export(arguments: Sequence[str]) -> None:
    command = build(ExportCommand, make_parser().parse(arguments))

    from textgen.cli.named_job import named_job
    from textgen.portable import check_installed

    with ending_at_once():
        check_installed(command.format)
    export = plan_export(named_job(command.model, with_model=True), command.format, command.output, force=command.force)

    from rich.filesize import decimal

    console = Console()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with console.busy(f"writing {export.output}"), console.silenced():
        exported = export.write()
    console.say(f"Wrote {exported.model}, {decimal(exported.model.stat().st_size)}; {exported.finding}")
    paths = "".join(f"{path}\n" for path in (exported.model, exported.vocabulary) if path is not None)
    sys.stdout.write(visible(paths, "\n") if sys.stdout.isatty() else paths)
