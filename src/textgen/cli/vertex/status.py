"""`textgen vertex status`: shows the state of a job."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.cli.entry import run_command
from textgen.cli.vertex.output import write_line
from textgen.cli.vertex.settings import add_vertex_settings, read_job
from textgen.config.commands import JobCommand
from textgen.config.flags import Parser
from textgen.console import Console

PROGRAM = "textgen vertex status"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex status`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _status, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex status`."""
    parser = Parser(
        PROGRAM, f"{PROGRAM} JOB [FLAGS]", "Show a job's state, times and place and, if it failed, the reason."
    )
    parser.add_settings(JobCommand)
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _status(arguments: Sequence[str]) -> None:
    job, config = read_job(make_parser().parse(arguments))
    with Console().busy(f"asking Vertex AI for job {job}"):
        from textgen.cloud.job_service import get
        from textgen.cloud.watching import state_of

        found = get(config, job)
    lines = {
        "job": found.get("displayName", ""),
        "state": state_of(found),
        "created": found.get("createTime", ""),
        "started": found.get("startTime", ""),
        "ended": found.get("endTime", ""),
        "job directory": found.get("jobSpec", {}).get("baseOutputDirectory", {}).get("outputUriPrefix", ""),
        "error": found.get("error", {}).get("message", ""),
    }
    for name, text in lines.items():
        if text:
            write_line(f"{name}: {' '.join(str(text).split())}")
