"""`textgen jobs`: lists jobs, the most recently changed first."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output, write_table
from textgen.config import JobsCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible
from textgen.formatting import not_comparable
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
        write_table([_HEAD, *map(_row, jobs)])
    else:
        sys.stdout.writelines("\t".join(_fields(job)) + "\n" for job in jobs)


def _row(job: JobFacts) -> tuple[str, ...]:
    """Returns a row of the table."""
    from rich.filesize import decimal

    state = f"{job.state} at step {job.steps:,}" if job.state in {"running", "stopped"} else job.state
    loss = "" if job.valid_loss is None else f"{job.valid_loss:.3f}"
    bits = "" if job.valid_bits_per_character is None else f"{job.valid_bits_per_character:.3f}"
    if bits and job.valid_unknown_share:
        bits += f" ({not_comparable(job.valid_unknown_share)})"
    changed = _time(job)[:16]
    return (job.job_dir, state, loss, bits, decimal(job.bytes), changed, job.problem or "")


def _fields(job: JobFacts) -> tuple[str, ...]:
    """Returns the fields of a line in a pipe."""
    scores = ("-" if score is None else f"{score}" for score in (job.valid_loss, job.valid_bits_per_character))
    problem = visible(job.problem or "-")
    return (visible(job.job_dir), job.state, str(job.steps), *scores, str(job.bytes), _time(job), problem)


def _time(job: JobFacts) -> str:
    """Returns the time of a job's last change, in local time."""
    return datetime.fromtimestamp(job.changed).astimezone().isoformat(" ", "seconds")
