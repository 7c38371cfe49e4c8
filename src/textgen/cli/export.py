"""`textgen export`: exports a trained model to another runtime."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from textgen.cli.entry import ending_at_once, run_command
from textgen.config import ExportCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible
from textgen.errors import UsageError
from textgen.jobs import JobDirectory
from textgen.runs.places import find_output, refuse_bucket
from textgen.storage import base_path, is_bucket

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
        f"{PROGRAM} [JOB] --format keras|litert|onnx [--output PATH]",
        "Export a trained model to a file for another runtime, and its vocabulary to a second file next to it.\n"
        "The model's file computes one step: from a token id and the states to the logits of the next token\n"
        "and the next states. It is run once, and rejected if its results differ from those of textgen-sample.\n"
        "The paths of the two files are printed on standard output, one per line.",
        f"example:\n  {PROGRAM} story-384-states-1-layers-384-embed --format onnx\n\n"
        "docs/export.md shows how each file is used.",
    )
    parser.add_settings(ExportCommand)
    parser.add_help_and_version()
    return parser


def _export(arguments: Sequence[str]) -> None:
    command = build(ExportCommand, make_parser().parse(arguments))
    if command.output is not None:
        refuse_bucket("--output", command.output)

    from textgen.cli.named_job import named_job
    from textgen.generation.model_place import open_model
    from textgen.portable import FORMATS, check_installed, export_model

    with ending_at_once():
        check_installed(command.format)
    place = named_job(command.model, with_model=True)
    model = open_model(place)
    source = _model_path(place)
    suffix = FORMATS[command.format].suffix
    output = find_output(source.with_suffix(suffix) if command.output is None else Path(command.output), suffix)
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError(f"--output must not be the model file itself, got {output}; name another file")

    from rich.filesize import decimal

    console = Console()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with console.busy(f"writing {output}"), console.silenced():
        exported = export_model(model, command.format, output)
    console.say(
        f"Wrote {output}, {decimal(output.stat().st_size)}; in a test run, its logits differed from textgen's by at most "
        f"{exported.difference:.1g}"
    )
    paths = f"{exported.model}\n{exported.vocabulary}\n"
    sys.stdout.write(visible(paths, "\n") if sys.stdout.isatty() else paths)


def _model_path(place: str) -> Path:
    """Returns the model file, next to which the exported one is written.

    For one in a bucket, and for the base model, this is its name in the current folder.
    """
    if is_bucket(place) or place == str(base_path()):
        return Path(PurePosixPath(place).name)
    path = Path(place)
    return JobDirectory(path).model if path.is_dir() else path
