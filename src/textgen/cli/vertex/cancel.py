"""`textgen vertex cancel`: ends a job."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.cli.entry import run_command
from textgen.cli.vertex.settings import add_vertex_settings, read_job
from textgen.config.commands import JobCommand
from textgen.config.flags import Parser
from textgen.console import Console

PROGRAM = "textgen vertex cancel"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex cancel`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _cancel, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex cancel`."""
    parser = Parser(PROGRAM, f"{PROGRAM} JOB [FLAGS]", "End a job. What it has saved stays, and submit resumes it.")
    parser.add_settings(JobCommand)
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _cancel(arguments: Sequence[str]) -> None:
    job, config = read_job(make_parser().parse(arguments))
    console = Console()
    with console.busy(f"cancelling job {job}"):
        from textgen.cloud.job_service import JobService

        with JobService(config) as service:
            service.cancel(job)
    console.say(f"Job {job} is being cancelled; textgen vertex status {job} shows when it has ended.")
