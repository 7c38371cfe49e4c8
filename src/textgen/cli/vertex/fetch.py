"""`textgen vertex fetch`: copies a job directory to this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textgen.cli.entry import run_command
from textgen.cli.sample_output import encode_output, put
from textgen.cli.typed import typed, typed_path
from textgen.cli.vertex.settings import add_vertex_settings, read_vertex_config
from textgen.config.flags import Parser, build
from textgen.config.vertex_command import FetchCommand, job_id
from textgen.console import Console, visible
from textgen.runs.places import refuse_bucket, refuse_tilde
from textgen.storage import is_bucket

PROGRAM = "textgen vertex fetch"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex fetch`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _fetch, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex fetch`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} JOB|gs://BUCKET/PATH [--output DIR] [FLAGS]",
        "Copy the directory of a job to this machine, for textgen-sample. The job may still be running, and an earlier\n"
        "copy is brought up to date. Standard output is the command to run next.",
    )
    parser.add_settings(FetchCommand)
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _fetch(arguments: Sequence[str]) -> None:
    values = make_parser().parse(arguments)
    command = build(FetchCommand, values)
    if command.output is not None:
        refuse_bucket("--output", command.output)
        refuse_tilde("--output", command.output)
    config = read_vertex_config(values)

    from textgen.cloud.fetching import fetch_job, job_directory, local_directory

    console = Console()
    uri = command.job
    if not is_bucket(uri):
        with console.busy(f"asking Vertex AI for job {uri}"):
            from textgen.cloud import job_service

            uri = job_directory(job_service.get(config, job_id(uri)))
    target = local_directory(uri) if command.output is None else Path(command.output)
    with console.busy(f"fetching {uri}"):
        job = fetch_job(uri, target, console.say, console.warn).job
    if not job.model.exists():
        console.say(f"{job.root} has no model file yet; fetch it again when the job has evaluated.")
        return
    encode_output("surrogateescape")
    put(visible(f"{typed('textgen-sample')} {typed_path(str(job.root))}") + "\n")
