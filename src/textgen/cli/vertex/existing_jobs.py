"""The commands of `textgen vertex` for existing jobs: status, list, cancel, logs and fetch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output, put, write_line, write_table
from textgen.cli.typed import typed, typed_path
from textgen.cli.vertex.settings import make_vertex_parser, read_vertex_config
from textgen.config.cloud_names import job_id
from textgen.config.flags import build
from textgen.config.vertex import FetchCommand, JobCommand, LogsCommand, VertexConfig
from textgen.console import Console, visible
from textgen.errors import MissingError
from textgen.formatting import one_line
from textgen.runs.places import refuse_bucket, refuse_tilde
from textgen.storage import is_bucket

if TYPE_CHECKING:
    from textgen.cloud.logs import Line

_COLUMNS = ("job", "state", "created", "name", "job directory")


def status(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex status`, and returns its exit code."""
    return run_command("textgen vertex status", _status, arguments)


def list_jobs(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex list`, and returns its exit code."""
    return run_command("textgen vertex list", _list, arguments)


def cancel(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex cancel`, and returns its exit code."""
    return run_command("textgen vertex cancel", _cancel, arguments)


def logs(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex logs`, and returns its exit code."""
    return run_command("textgen vertex logs", _logs, arguments)


def fetch(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex fetch`, and returns its exit code."""
    return run_command("textgen vertex fetch", _fetch, arguments)


def _status(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "status", "JOB [FLAGS]", "Show a job's state, times and place and, if it failed, the reason.", JobCommand
    )
    job, config = _read_job(parser.parse(arguments))
    with Console().busy(f"asking Vertex AI for job {job}"):
        from textgen.cloud.job_service import directory_of, get, state_of

        found = get(config, job)
    lines = {
        "job": found.get("displayName", ""),
        "state": state_of(found),
        "created": found.get("createTime", ""),
        "started": found.get("startTime", ""),
        "ended": found.get("endTime", ""),
        "job directory": directory_of(found),
        "error": found.get("error", {}).get("message", ""),
    }
    for name, text in lines.items():
        if text:
            write_line(f"{name}: {one_line(text)}")


def _list(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "list",
        "[FLAGS]",
        "List the newest hundred jobs of a project in a region, newest first. In a pipe, each line has the job, its state,\n"
        "time of creation, name and job directory, separated by tabs.",
    )
    config = _read_config(parser.parse(arguments))
    console = Console()
    with console.busy("asking Vertex AI for jobs"):
        from textgen.cloud.job_service import JobService

        with JobService(config) as service:
            rows = [_row(job) for job in service.list()]
    if not rows:
        console.say(f"There is no job in {config.region} of {config.project}; textgen vertex submit starts one.")
    elif sys.stdout.isatty():
        write_table([_COLUMNS, *rows])
    else:
        for row in rows:
            write_line(*row)


def _row(job: Mapping[str, Any]) -> tuple[str, ...]:
    from textgen.cloud.job_service import directory_of, id_of, state_of

    cells = (id_of(job), state_of(job), job.get("createTime", ""), job.get("displayName", ""), directory_of(job))
    return tuple(map(one_line, cells))


def _cancel(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "cancel", "JOB [FLAGS]", "End a job. What it has saved stays, and submit resumes it.", JobCommand
    )
    job, config = _read_job(parser.parse(arguments))
    console = Console()
    with console.busy(f"cancelling job {job}"):
        from textgen.cloud.job_service import JobService

        with JobService(config) as service:
            service.cancel(job)
    console.say(f"Job {job} is being cancelled; textgen vertex status {job} shows when it has ended.")


def _logs(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "logs",
        "JOB [--follow] [FLAGS]",
        "Show a job's log from Cloud Logging on standard output: the time, severity and message of each line.\n"
        "With --follow it stays until the job ends. Ctrl-C leaves earlier, and the job continues.",
        JobCommand,
        LogsCommand,
    )
    values = parser.parse(arguments)
    command = build(LogsCommand, values)
    job, config = _read_job(values)
    project = str(config.project)

    from textgen.cloud.logs import follow_log, read_log
    from textgen.cloud.rest import Services, find_credentials

    def has_ended() -> bool:
        from textgen.cloud import job_service

        return job_service.has_ended(job_service.get(config, job))

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
    """Returns the entry as text; what follows its first line is indented, so that it cannot pass for another entry."""
    message = line.message.replace("\n", "\n    ")
    return f"{line.time.astimezone().isoformat(' ', 'seconds')} {visible(line.severity)} {message}"


def _fetch(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "fetch",
        "JOB|gs://BUCKET/PATH [--output DIR] [FLAGS]",
        "Copy the directory of a job to this machine, for textgen-sample. The job may still be running, and an earlier\n"
        "copy is brought up to date. Standard output is the command to run next.",
        FetchCommand,
    )
    values = parser.parse(arguments)
    command = build(FetchCommand, values)
    if command.output is not None:
        refuse_bucket("--output", command.output)
        refuse_tilde("--output", command.output)
    config = read_vertex_config(values)

    from textgen.cloud.fetching import fetch_job, local_directory

    console = Console()
    uri = command.job
    if not is_bucket(uri):
        with console.busy(f"asking Vertex AI for job {uri}"):
            uri = _find_directory(config, job_id(uri))
    target = local_directory(uri) if command.output is None else Path(command.output)
    with console.busy(f"fetching {uri}"):
        job = fetch_job(uri, target, console.say, console.warn).job
    if not job.model.exists():
        console.say(f"{job.root} has no model file yet; fetch it again when the job has evaluated.")
        return
    encode_output("surrogateescape")
    put(visible(f"{typed('textgen-sample')} {typed_path(str(job.root))}") + "\n")


def _find_directory(config: VertexConfig, job: str) -> str:
    """Returns the URI of a job's directory.

    Raises:
        MissingError: if it has none.
    """
    from textgen.cloud import job_service

    found = job_service.get(config, job)
    if not (uri := job_service.directory_of(found)):
        raise MissingError(
            f"the job {found.get('name', '')} names no output directory, so textgen has not submitted it; "
            "give its directory in the bucket instead of its id"
        )
    return uri


def _read_config(values: Mapping[str, Any]) -> VertexConfig:
    """Returns the settings, which must name the project and the region."""
    config = read_vertex_config(values)
    config.require("project", "region")
    return config


def _read_job(values: Mapping[str, Any]) -> tuple[str, VertexConfig]:
    """Returns the id of the job, and where it runs."""
    return job_id(build(JobCommand, values).job), _read_config(values)
