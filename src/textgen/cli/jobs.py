"""`textgen jobs`: lists jobs, the most recently changed first."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.cli.sample_output import encode_output, terminal_width
from textgen.config import JobsCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible
from textgen.runs.places import refuse_bucket

if TYPE_CHECKING:
    from textgen.jobs import JobFacts

PROGRAM = "textgen jobs"
_HEAD = ("job", "state", "loss", "bits/char", "size", "changed", "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen jobs`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _jobs, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen jobs`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [DIR] [--json]",
        "List the jobs in and below a directory, the most recently changed first, with their state, their best\n"
        "score on the validation text and their size on disk. A job is a directory with a config.yaml. A\n"
        "damaged job is listed with its problem.",
        "On a terminal, the list is a table. In a pipe, each line has the job, state, steps, loss, bits per\n"
        "character, bytes, time of the last change and problem, separated by tabs, with - for a missing value.",
    )
    parser.add_settings(JobsCommand)
    parser.add_help_and_version()
    return parser


def _jobs(arguments: Sequence[str]) -> None:
    command = build(JobsCommand, make_parser().parse(arguments))
    refuse_bucket("DIR", command.directory)

    from textgen.cli.named_job import how_to_start
    from textgen.jobs import as_json
    from textgen.runs.find_job import jobs_below

    directory = Path(command.directory)
    jobs = jobs_below(directory)
    encode_output("surrogateescape")
    if not jobs:
        Console().say(f"There is no job in or below {command.directory}; {how_to_start()}.")
    elif command.json:
        lines = ({**dataclasses.asdict(job), "changed": _time(job)} for job in jobs)
        sys.stdout.writelines(as_json(line) + "\n" for line in lines)
    elif sys.stdout.isatty():
        _write_table([_HEAD, *map(_row, jobs)])
    else:
        sys.stdout.writelines("\t".join(_fields(job)) + "\n" for job in jobs)


def _row(job: JobFacts) -> tuple[str, ...]:
    """Returns a row of the table."""
    state = f"{job.state} at step {job.steps:,}" if job.state in {"running", "stopped"} else job.state
    loss = "" if job.valid_loss is None else f"{job.valid_loss:.3f}"
    bits = "" if job.valid_bits_per_character is None else f"{job.valid_bits_per_character:.3f}"
    if bits and job.valid_unknown_share:
        bits += f" (not comparable: {100 * job.valid_unknown_share:.3g}% [UNK])"
    changed = _time(job)[:16]
    return (visible(job.job_dir), state, loss, bits, f"{job.bytes / 1e6:,.1f} MB", changed, visible(job.problem or ""))


def _fields(job: JobFacts) -> tuple[str, ...]:
    """Returns the fields of a line in a pipe."""
    scores = ("-" if score is None else f"{score}" for score in (job.valid_loss, job.valid_bits_per_character))
    problem = visible(job.problem or "-")
    return (visible(job.job_dir), job.state, str(job.steps), *scores, str(job.bytes), _time(job), problem)


def _write_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Writes a table; if it is wider than the terminal, each job is on a line of its own, above its other cells."""
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


def _time(job: JobFacts) -> str:
    """Returns the time of a job's last change, in local time."""
    return datetime.fromtimestamp(job.changed).astimezone().isoformat(" ", "seconds")
