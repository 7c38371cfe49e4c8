"""`textgen vertex list`: lists jobs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from textgen.cli.entry import run_command
from textgen.cli.vertex.output import write_line
from textgen.cli.vertex.settings import add_vertex_settings, read_vertex_config
from textgen.config.flags import Parser
from textgen.console import Console, visible

PROGRAM = "textgen vertex list"
_COLUMNS = ("job", "state", "created", "name", "job directory")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex list`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _list, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex list`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [FLAGS]",
        "List the newest hundred jobs of a project in a region, newest first. In a pipe, each line has the job, its state,\n"
        "time of creation, name and job directory, separated by tabs.",
    )
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _list(arguments: Sequence[str]) -> None:
    config = read_vertex_config(make_parser().parse(arguments))
    config.require("project", "region")
    console = Console()
    with console.busy("asking Vertex AI for jobs"):
        from textgen.cloud.job_service import JobService

        with JobService(config) as service:
            rows = [_row(job) for job in service.list()]
    if not rows:
        console.say(f"There is no job in {config.region} of {config.project}; textgen vertex submit starts one.")
    elif sys.stdout.isatty():
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        table = Table(*_COLUMNS, box=None)
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        RichConsole().print(table)
    else:
        for row in rows:
            write_line(*row)


def _row(job: Mapping[str, Any]) -> tuple[str, ...]:
    from textgen.cloud.watching import id_of, state_of

    output = job.get("jobSpec", {}).get("baseOutputDirectory", {}).get("outputUriPrefix", "")
    cells = (
        id_of(job),
        state_of(job),
        job.get("createTime", ""),
        job.get("displayName", ""),
        output,
    )
    return tuple(" ".join(str(cell).split()) for cell in cells)
