"""The commands of `textgen vertex` that make a job of textgen-train: submit starts it, and yaml writes it as a file for gcloud."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output
from textgen.cli.vertex.settings import OF_A_PROJECT, add_vertex_settings, read_vertex_config
from textgen.cloud.job_failures import explain
from textgen.cloud.job_spec import gcloud_command, make_job
from textgen.cloud.machines import find_machine
from textgen.config import TrainCommand, TrainingConfig, settings
from textgen.config.cloud_names import EXAMPLE_IMAGE
from textgen.config.flags import Parser, build
from textgen.config.vertex import SubmitCommand, VertexConfig, VertexFile
from textgen.console import Console
from textgen.errors import AccessError, CancelledError, StoppedError, TextgenError, UnavailableError
from textgen.formatting import shorten
from textgen.jobs import Events
from textgen.runs.cloud_run import CloudRun, decide_cloud_run
from textgen.runs.request import read_request
from textgen.runs.show_plan import UNWRAPPED, describe_choices
from textgen.storage import Lease, bucket_settings, upload_once

_FILE = "job.yaml"
_OPTIONAL = {"runs as": "serviceAccount", "network": "network", "tensorboard": "tensorboard"}


@dataclass(frozen=True)
class PreparedJob:
    """A job that could be started.

    Attributes:
        vertex: the place and the machine.
        run: what the job runs.
        job: the CustomJob.
    """

    vertex: VertexConfig
    run: CloudRun
    job: dict[str, Any]


def submit(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex submit`, and returns its exit code."""
    return run_command("textgen vertex submit", _submit, arguments)


def write_yaml(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex yaml`, and returns its exit code."""
    return run_command("textgen vertex yaml", _yaml, arguments)


def _submit_parser() -> Parser:
    """Returns the parser of `textgen vertex submit`."""
    program = "textgen vertex submit"
    parser = Parser(
        program,
        f"{program} [TEXT ...] [FLAGS]",
        "Start textgen-train, with the same flags, as a job of Vertex AI. Local texts are uploaded first, once.\n"
        "Before anything is made, the job is checked as textgen-train would check it. The same command resumes the\n"
        "same job. Project, region, bucket, image and machine can be in vertex.yaml.",
        f"examples:\n  {program} my-book.txt --project my-project --region europe-west4 --bucket my-bucket \\\n"
        f"    --image {EXAMPLE_IMAGE} --spot\n"
        f"  {program} my-book.txt --minutes 60 --wait     # with all of these in vertex.yaml\n\n"
        "docs/google-cloud.md starts from an empty project.",
    )
    parser.add_settings(SubmitCommand)
    _add_job_settings(parser)
    parser.add_help_and_version()
    return parser


def _add_job_settings(parser: Parser) -> None:
    """Adds the flags that `_prepare_job` understands."""
    parser.add_settings(TrainingConfig)
    parser.add_settings(TrainCommand)
    add_vertex_settings(parser)


def _prepare_job(values: Mapping[str, Any], check_bucket: Callable[[VertexConfig], None] | None = None) -> PreparedJob:
    """Prepares a job from the flags.

    Args:
        values: the values of the flags.
        check_bucket: see `decide_cloud_run`.

    Raises:
        TextgenError: as `decide_cloud_run`, and for an invalid place or machine.
    """
    vertex = read_vertex_config(values)
    vertex.require("project", "region", "bucket", "image")
    request = read_request(values)
    machine = find_machine(vertex)
    run = decide_cloud_run(
        request,
        vertex.bucket_uri,
        gpus=machine.count,
        cores=machine.cores,
        check_bucket=None if check_bucket is None else partial(check_bucket, vertex),
    )
    return PreparedJob(vertex, run, make_job(vertex, run.name, run.arguments, run.place, request.command.workers or 1))


def _submit(arguments: Sequence[str]) -> None:
    values = _submit_parser().parse(arguments)
    command = build(SubmitCommand, values)
    console = Console()
    dry_run = build(TrainCommand, values).dry_run
    with console.busy("reading the text" if dry_run else "reading the text and asking the bucket"):
        prepared = _prepare_job(values, None if dry_run else lambda vertex: _check_bucket(console, vertex))
    _show(console, prepared)
    if dry_run:
        return
    with console.busy("asking the bucket"):
        Lease.check(prepared.run.place, console.say)
    with console.busy("loading Vertex AI's client"):
        from textgen.cloud.job_service import JobService, id_of
    with JobService(prepared.vertex) as service:
        _upload(console, prepared)
        with console.busy("starting the job"):
            job = service.create(prepared.job)
        if not (job_id := id_of(job)):
            raise UnavailableError(
                "Vertex AI has accepted the job, but its answer names no id; textgen vertex list shows the job"
            )
        _show_next_steps(console, prepared.vertex, job_id, values)
        if command.wait:
            _wait(console, lambda: service.get(job_id), prepared.vertex, job_id)


def _show(console: Console, prepared: PreparedJob) -> None:
    """Shows every resource that would be made."""
    from rich.filesize import decimal

    spec = prepared.job["jobSpec"]
    pool, scheduling = spec["workerPoolSpecs"][0], spec["scheduling"]
    machine, machines = pool["machineSpec"], sum(each["replicaCount"] for each in spec["workerPoolSpecs"])
    accelerator = machine.get("acceleratorType")
    lines = [
        ("job", f"{prepared.job['displayName']} in {prepared.vertex.region} of {prepared.vertex.project}"),
        (
            "machine",
            (f"{machines} x " if machines > 1 else "")
            + machine["machineType"]
            + (f" with {machine['acceleratorCount']} x {accelerator}" if accelerator else "")
            + (" each" if machines > 1 and accelerator else ""),
        ),
        (
            "scheduling",
            f"{scheduling.get('strategy', 'on demand')}, hard limit {prepared.vertex.max_hours:g} hours",
        ),
        ("image", pool["containerSpec"]["imageUri"]),
        ("arguments", " ".join(pool["containerSpec"]["args"])),
        ("job directory", prepared.run.place),
    ]
    lines += [(name, spec[key]) for name, key in _OPTIONAL.items() if key in spec]
    if "labels" in prepared.job:
        lines.append(("labels", ", ".join(f"{key}={value}" for key, value in prepared.job["labels"].items())))
    lines += [("start", prepared.run.start)] if prepared.run.start else []
    lines += [("chosen", text) for text in describe_choices(prepared.run.choices)]
    lines += [
        ("upload", f"{upload.path} ({decimal(upload.path.stat().st_size)}) to {upload.uri}")
        for upload in prepared.run.uploads
    ]
    corpus = prepared.run.corpus
    if corpus is not None:
        unwrapped = UNWRAPPED if corpus.unwrapped else ""
        remarks = (("skipped", corpus.skipped), ("encoding", corpus.detected), ("unwrapped", unwrapped))
        lines += [(name, text) for name, text in remarks if text]
    for name, text in lines:
        console.say(f"  {name:14}{text}")
    if corpus is not None and corpus.warning:
        console.warn(corpus.warning)


def _check_bucket(console: Console, vertex: VertexConfig) -> None:
    """Refuses a bucket in another region, or one in which files cannot be replaced, if the user may read its settings."""
    from textgen.cloud.bucket_checks import check_region, check_rules

    try:
        settings = bucket_settings(vertex.bucket_name)
    except AccessError as error:
        console.warn(f"cannot tell whether {vertex.bucket_uri} is in {vertex.region}: {error}")
        return
    check_region(vertex.bucket_name, settings, str(vertex.region))
    check_rules(vertex.bucket_name, settings)


def _upload(console: Console, prepared: PreparedJob) -> None:
    """Uploads what the job reads; with --fresh, first renames the existing jobs."""

    def lost(failure: TextgenError) -> None:
        console.warn(failure.on_command_line)

    for place in prepared.run.old:
        aside = place.move_aside(Events(console.say, console.warn, lost, lambda: None))
        if aside is not None:
            console.say(f"The old job is now {aside}")
    for upload in prepared.run.uploads:
        with console.busy(f"uploading {upload.path}"):
            upload_once(upload.path, upload.uri, upload.crc32c)


def _show_next_steps(console: Console, vertex: VertexConfig, job_id: str, values: Mapping[str, Any]) -> None:
    console.say(f"Started job {job_id}")
    console.say(
        f"  https://console.cloud.google.com/vertex-ai/locations/{vertex.region}/training/{job_id}?project={vertex.project}"
    )
    console.say("Next:")
    names = {"vertex_config", *OF_A_PROJECT} & values.keys()
    known = (*settings(VertexFile), *settings(VertexConfig))
    given = [setting.as_argument(values[setting.name]) for setting in known if setting.name in names]
    for step in ("status", "logs", "cancel", "fetch"):
        console.say("  " + shlex.join(["textgen", "vertex", step, job_id, *given]))


def _wait(console: Console, get: Any, vertex: VertexConfig, job_id: str) -> None:
    from textgen.cloud.job_service import wait_for_end

    try:
        job = wait_for_end(get, lambda state: console.say(f"Job {job_id} is {state}"))
    except KeyboardInterrupt:
        raise CancelledError(
            f"stopped waiting; job {job_id} continues, textgen vertex cancel {job_id} ends it"
        ) from None
    _raise_if_failed(job, vertex, job_id)


def _raise_if_failed(job: Mapping[str, Any], vertex: VertexConfig, job_id: str) -> None:
    """Raises the error of a job that has not succeeded.

    Raises:
        TextgenError: with the reason.
    """
    from textgen.cloud.job_service import state_of

    state = state_of(job)
    if state == "SUCCEEDED":
        return
    message = str(job.get("error", {}).get("message", ""))
    if state == "FAILED":
        known = explain(message, vertex)
        raise known or UnavailableError(
            f"job {job_id} failed: {shorten(message) or 'no reason is given'}; textgen vertex logs {job_id} shows its log"
        )
    reason = "at its time limit: raise --max_hours" if state == "EXPIRED" else f"and is {state}"
    raise StoppedError(f"job {job_id} has ended before training was done, {reason}; the same command resumes it")


def _yaml(arguments: Sequence[str]) -> None:
    program = "textgen vertex yaml"
    parser = Parser(
        program,
        f"{program} [TEXT ...] [FLAGS] > {_FILE}",
        "Write the job that `textgen vertex submit` would start to standard output, for `gcloud ai custom-jobs create`,\n"
        "and the commands that upload its texts and start it to standard error. It needs no network and no credentials.",
    )
    _add_job_settings(parser)
    parser.add_help_and_version()
    prepared = _prepare_job(parser.parse(arguments))

    import yaml

    encode_output("backslashreplace")
    sys.stdout.write(yaml.safe_dump(prepared.job["jobSpec"], sort_keys=False, allow_unicode=True))
    console = Console()
    for upload in prepared.run.uploads:
        console.say(shlex.join(["gcloud", "storage", "cp", "--no-clobber", str(upload.path), upload.uri]))
    console.say(gcloud_command(prepared.vertex, prepared.job, _FILE))
