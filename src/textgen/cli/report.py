"""`textgen report`: writes an HTML page about a job."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from textgen.cli.entry import run_command
from textgen.config import ReportCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible

PROGRAM = "textgen report"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen report`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _report, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen report`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB] [FLAGS]",
        "Write an HTML page about a job: how good its model is, next to simple methods; how it learned; what it\n"
        "writes, next to real text; and how it was made, with the command that trains it again. The page needs no\n"
        "network and can be printed. It is made in a few seconds, without TensorFlow.",
        f"examples:\n  {PROGRAM} --open\n  {PROGRAM} my-book --output my-book.html\n\ndocs/report.md explains the page.",
    )
    parser.add_settings(ReportCommand)
    parser.add_help_and_version()
    return parser


def _report(arguments: Sequence[str]) -> None:
    command = build(ReportCommand, make_parser().parse(arguments))

    from textgen.cli.blas_threads import use_one_blas_thread

    use_one_blas_thread()

    from textgen.cli.named_job import look_at_named, named_job
    from textgen.portable.report_page import make_report
    from textgen.runs.report import collect, find_report_page
    from textgen.storage import write_atomic

    place, console = named_job(command.job, with_model=False), Console()
    job = look_at_named(place)
    page = find_report_page(place, command.output, force=command.force)
    with console.busy("making the report"):
        report = collect(place, job)
        document = make_report(report)
    if report.facts.state == "running":
        console.say(f"{job} is still training; this reports its state at step {report.facts.steps:,}.")
    write_atomic(page, document)
    console.say(f"Wrote {page}")
    sys.stdout.write(visible(f"{page}\n", "\n") if sys.stdout.isatty() else f"{page}\n")
    if command.open:
        _open(console, page)


def _open(console: Console, page: Path) -> None:
    """Opens the page in the browser."""
    sys.stdout.flush()
    is_open = False
    with suppress(webbrowser.Error, ValueError):  # such as an unclosed quote in BROWSER
        is_open = webbrowser.open(page.resolve().as_uri())
    if not is_open:
        console.warn(f"there is no browser here; open {page} in one")
