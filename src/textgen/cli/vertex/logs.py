"""`textgen vertex logs`: shows the log of a job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.cli.sample_output import encode_output, put
from textgen.cli.vertex.settings import add_vertex_settings, read_job
from textgen.config.flags import Parser, build
from textgen.config.vertex_command import JobCommand, LogsCommand
from textgen.console import Console

if TYPE_CHECKING:
    from textgen.cloud.logs import Line

PROGRAM = "textgen vertex logs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex logs`.

    Args:
        arguments: without the names of the program and of the command; None for the process' own.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _logs, arguments)


def make_parser() -> Parser:
    """The parser of `textgen vertex logs`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} JOB [--follow] [FLAGS]",
        "Shows what a job has written to Cloud Logging: time, severity and message of each line, on standard output.\n"
        "With --follow it goes on until the job ends; Ctrl-C ends it before, and the job goes on.",
    )
    parser.add_settings(JobCommand)
    parser.add_settings(LogsCommand)
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _logs(arguments: Sequence[str]) -> None:
    values = make_parser().parse(arguments)
    command = build(LogsCommand, values)
    job, config = read_job(values)
    project = str(config.project)
    encode_output("backslashreplace")

    from textgen.cloud.logs import follow_log, read_log
    from textgen.cloud.rest import Services, find_credentials

    def has_ended() -> bool:
        from textgen.cloud import job_service, watching

        return watching.has_ended(job_service.get(config, job))

    console = Console()
    if command.follow:
        with console.busy(f"asking Vertex AI for job {job}"):
            has_ended()  # a job that does not exist has no log to wait for
    with Services(find_credentials()) as services:
        lines = follow_log(services, project, job, has_ended) if command.follow else read_log(services, project, job)
        empty = True
        for line in lines:
            empty = False
            put(f"{_describe(line)}\n")
            sys.stdout.flush()  # also in a pipe: what reads it may wait for a line
    if empty:
        has_ended()
        console.say(f"Job {job} has written nothing yet; textgen vertex status {job} tells how it stands.")


def _describe(line: Line) -> str:
    """A line for people; what would steer a terminal is written as an escape."""
    time = line.time.astimezone().isoformat(" ", "seconds")
    message = "".join(
        mark if mark.isprintable() or mark in "\n\t" else mark.encode("unicode_escape").decode()
        for mark in line.message
    )
    return f"{time} {line.severity} {message}"
