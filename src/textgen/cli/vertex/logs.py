"""`textgen vertex logs`: shows the log of a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.cli.vertex.output import write_line
from textgen.cli.vertex.settings import add_vertex_settings, read_job
from textgen.config.commands import JobCommand, LogsCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible

if TYPE_CHECKING:
    from textgen.cloud.logs import Line

PROGRAM = "textgen vertex logs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex logs`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _logs, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex logs`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} JOB [--follow] [FLAGS]",
        "Show a job's log from Cloud Logging on standard output: the time, severity and message of each line.\n"
        "With --follow it stays until the job ends. Ctrl-C leaves earlier, and the job continues.",
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
            write_line(_describe(line), kept="\n\t")
    if empty:
        has_ended()
        console.say(f"Job {job} has written nothing yet; textgen vertex status {job} shows its state.")


def _describe(line: Line) -> str:
    """The entry as text; what follows its first line is indented, so that it cannot pass for another entry."""
    message = line.message.replace("\n", "\n    ")
    return f"{line.time.astimezone().isoformat(' ', 'seconds')} {visible(line.severity)} {message}"
