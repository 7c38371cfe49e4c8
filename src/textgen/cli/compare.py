"""`textgen compare`: compares jobs, and ranks those that predict the same text."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output, write_table
from textgen.config import CompareCommand, JobsCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible
from textgen.errors import MissingError, TextgenError
from textgen.formatting import described, not_comparable, one_line, percent

if TYPE_CHECKING:
    from textgen.runs.compared_jobs import ComparedJob, Comparison

PROGRAM = "textgen compare"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen compare`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _compare, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen compare`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB ...] [--json]",
        "Compare jobs: their scores on the validation text, shape, text, steps, training time, speed and size on\n"
        "disk, and the settings in which they differ. The job with the fewest bits per character comes first.\n"
        "Jobs are not ranked if their validation texts differ.",
        "On a terminal, the jobs and their settings are tables. In a pipe, each line has the rank, job, state, bits\n"
        "per character, parameters, layers, state size, kind of tokens, text, steps, minutes, tokens per second,\n"
        "bytes and the settings that differ, separated by tabs, with - for a missing value.",
    )
    parser.add_settings(CompareCommand)
    parser.add_help_and_version()
    return parser


def _compare(arguments: Sequence[str]) -> None:
    command = build(CompareCommand, make_parser().parse(arguments))

    from textgen.jobs import as_json
    from textgen.runs.compared_jobs import compare_jobs

    comparison = compare_jobs(_named(command.jobs) if command.jobs else _all_jobs())
    encode_output("surrogateescape")
    if command.json:
        sys.stdout.writelines(as_json(_to_json(comparison, job)) + "\n" for job in comparison.jobs)
    elif sys.stdout.isatty():
        _write_tables(comparison)
    else:
        sys.stdout.writelines("\t".join(_fields(comparison, job)) + "\n" for job in comparison.jobs)
    sys.stdout.flush()
    if comparison.problem:
        Console().say(f"These jobs are not ranked, because {comparison.problem}.")


def _named(given: Sequence[str]) -> list[ComparedJob]:
    """Reads the jobs that arguments name, each of them once."""
    from textgen.cli.named_job import look_at_named, named_job
    from textgen.runs.compared_jobs import read_compared

    places = dict.fromkeys(named_job(name, with_model=False) for name in given)
    jobs = list(map(look_at_named, places))
    return list(map(read_compared, jobs))


def _all_jobs() -> list[ComparedJob]:
    """Reads all jobs below `job/`, with a warning for each that is damaged."""
    from textgen.cli.named_job import how_to_start
    from textgen.jobs import JobDirectory
    from textgen.runs.compared_jobs import read_compared
    from textgen.runs.find_job import jobs_below

    jobs = []
    for facts in jobs_below(Path(JobsCommand.directory)):
        try:
            jobs.append(read_compared(JobDirectory(Path(facts.job_dir))))
        except TextgenError as error:
            Console().warn(f"{one_line(error)}; it is left out")
    if not jobs:
        raise MissingError(f"there is no job to compare below {JobsCommand.directory} in this folder; {how_to_start()}")
    return jobs


def _write_tables(comparison: Comparison) -> None:
    """Writes a table of the jobs and one of the settings that differ."""
    first = "not ranked" if comparison.problem else "best first"
    head = (first, "state", "bits/char", "weights", "shape", "text", "steps", "time", "tokens/s", "size")
    jobs = enumerate(comparison.jobs, start=1)
    write_table([head, *(_row(number, job, is_ranked=not comparison.problem) for number, job in jobs)])
    if comparison.differing:
        values = [comparison.settings_of(job) for job in comparison.jobs]
        numbers = map(str, range(1, len(values) + 1))
        differing = [(name, *(described(each[name]) for each in values)) for name in comparison.differing]
        sys.stdout.write("\n")
        write_table([("settings that differ", *numbers), *differing])


def _row(number: int, job: ComparedJob, *, is_ranked: bool) -> tuple[str, ...]:
    """Returns a row of the table of jobs."""
    from rich.filesize import decimal

    bits = "" if job.valid_bits_per_character is None else f"{job.valid_bits_per_character:.3f}"
    if bits and job.valid_unknown_share:
        share = job.valid_unknown_share
        bits += f" ({percent(share)} [UNK])" if is_ranked else f" ({not_comparable(share)})"
    return (
        f"{number}. {job.job_dir}",
        job.state,
        bits or "none yet",
        "" if job.parameters is None else f"{job.parameters:,}",
        f"{job.config.layers}x{job.config.lstm_state_size} {job.config.language_model}",
        job.data,
        f"{job.steps:,}",
        f"{job.minutes:.1f} min",
        "" if job.tokens_per_second is None else f"{job.tokens_per_second:,.0f}",
        decimal(job.bytes),
    )


def _fields(comparison: Comparison, job: ComparedJob) -> tuple[str, ...]:
    """Returns the fields of a line in a pipe."""
    config, settings = job.config, comparison.settings_of(job).items()
    fields = (
        comparison.rank(job),
        job.job_dir,
        job.state,
        job.valid_bits_per_character,
        job.parameters,
        config.layers,
        config.lstm_state_size,
        config.language_model,
        job.data,
        job.steps,
        job.minutes,
        job.tokens_per_second,
        job.bytes,
        " ".join(f"{name}={described(value)}" for name, value in settings) or None,
    )
    return tuple("-" if field is None else visible(str(field)) for field in fields)


def _to_json(comparison: Comparison, job: ComparedJob) -> dict[str, object]:
    """Returns the facts of a job for a line of JSON."""
    facts = {name: value for name, value in dataclasses.asdict(job).items() if name != "config"}
    shape = {name: getattr(job.config, name) for name in ("layers", "lstm_state_size", "language_model")}
    return {"rank": comparison.rank(job), **facts, **shape, "settings": comparison.settings_of(job)}
