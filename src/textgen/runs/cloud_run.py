"""Decides what a job of Vertex AI runs, by the same steps as a run on this machine, up to the plan. Uploads and starts nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textgen.config import TrainCommand, TrainingConfig, job_name, settings, with_job_name
from textgen.corpus import Corpus, prefix_of
from textgen.corpus.find_text import STORY_PREFIX, find_text
from textgen.errors import UsageError, named
from textgen.jobs import JobDirectory, JobPlace, job_place
from textgen.planning import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, Plan, check_sharing
from textgen.runs.checks import check_text
from textgen.runs.decision import Decision, decide
from textgen.runs.existing_job import check_job
from textgen.runs.init_from import AUTO, NONE, Start, check_other_job, open_start, take_shape
from textgen.runs.open_text import decide_unwrapping, open_text
from textgen.runs.request import Request
from textgen.storage import BucketDirectory, Fingerprint, below, is_bucket, name_by_content

_NAMED_BY_US = ("texts", "data_dir", "data_prefix", "job_dir")
_CHOSEN_LATER = {"minutes", *CHOSEN_SETTINGS} - {*SHAPE_SETTINGS}
"""The settings that the container chooses unless they are given, even if they are given as their defaults."""
_NO_JOB = JobDirectory(Path(os.devnull, "job"), "gs://")
"""A job in a bucket that does not exist, or is not looked for."""


@dataclass(frozen=True)
class Input:
    """A file of this machine that the job reads from the bucket.

    Attributes:
        path: the file.
        uri: the URI of the object, which is named by the file's content.
        crc32c: the checksum of that content.
    """

    path: Path
    uri: str
    crc32c: str


@dataclass(frozen=True)
class CloudRun:
    """What a job of Vertex AI runs.

    Attributes:
        name: the name of the job.
        arguments: those of textgen-train in the container.
        place: the URI of the job directory.
        old: the places of the jobs to rename first, because `fresh` was given.
        uploads: the files that the bucket needs first.
        corpus: the text; None for a text in a bucket that was not read, because no network may be used.
        choices: the settings that were chosen automatically.
        start: what training starts from, in words; empty if the user chose to start from scratch.
    """

    name: str
    arguments: tuple[str, ...]
    place: str
    old: tuple[JobPlace, ...]
    uploads: tuple[Input, ...]
    corpus: Corpus | None
    choices: tuple[Choice, ...]
    start: str


def decide_cloud_run(
    request: Request, bucket_uri: str, *, gpus: int, cores: int, check_bucket: Callable[[], None] | None = None
) -> CloudRun:
    """Reads the text, decides which job is meant, and checks it as textgen-train does.

    Args:
        request: the request for the run; its device and its cores are replaced by those of the job.
        bucket_uri: the bucket of the job's files.
        gpus: the number of GPUs of the machine.
        cores: the number of cores of its CPU.
        check_bucket: checks the bucket, before the job is looked for in it. Without it, no network is used: a text in a bucket is
            not read, and no job exists.

    Raises:
        TextgenError: for anything that textgen-train would refuse.
    """
    offline = check_bucket is None
    config = _in_bucket(request.config, bucket_uri)  # before the text: a local folder of that name is no job
    request = replace(request, config=config, device="gpu" if gpus else "cpu", cores=cores)
    uploads: list[Input] = []
    start = _open_start(request.config.init_from, below(bucket_uri, "textgen/models"), uploads, offline=offline)
    if start is not None:
        request = replace(request, config=replace(config, init_from=start.init_from))
    corpus = None
    if offline and any(map(is_bucket, _named(request.config))):
        decision = _decide_without_text(request, start)
        texts = _as_given(request.config)
    else:
        corpus = open_text(request.config)
        if check_bucket is not None:
            check_bucket()
        decision = _decide(request, corpus, start, offline=offline)
        texts, files = _uploaded(decision.config, corpus.prefix, below(bucket_uri, "textgen/data"))
        uploads = [*files, *uploads]
    workers = request.command.workers or 1
    _check_gpus(decision.config.batch_size, gpus, workers, request.command)
    name = job_name(decision.config, _prefix(request.config) if corpus is None else corpus.prefix)
    config = decision.config
    if config.summary_dir is not None:
        config = replace(config, summary_dir=with_job_name(config.summary_dir, name))
    place = with_job_name(config.job_dir, name)
    arguments = (*texts, *_arguments(config, request), *(["--devices=all"] if gpus > 1 else []))
    old = filter(None, (decision.replaced, decision.place)) if request.command.fresh else ()
    return CloudRun(
        name, arguments, place, tuple(old), tuple(uploads), corpus, decision.choices, decision.start.description
    )


def _check_gpus(batch_size: int, gpus: int, workers: int, command: TrainCommand) -> None:
    """Checks that the run uses all GPUs of the machine, because an idle one costs as much, and needs none that it lacks."""
    if gpus and command.device == "cpu":
        raise UsageError(
            f"{named('device')} cpu would leave the GPU of the machine idle, which costs as much; leave it out, or use {named('machine')} cpu"
        )
    if not gpus and command.device == "gpu":
        raise UsageError(
            f"{named('device')} gpu needs a GPU, and the machine has none; leave it out, or name a machine with a GPU, such as {named('machine')} l4"
        )
    devices = max(1, gpus)
    if command.devices not in {None, "all", devices}:
        raise UsageError(
            f"{named('devices')} must be the number of GPUs of the machine, {gpus}, because idle ones cost as much, got {command.devices}; "
            "leave it out, or name another machine"
        )
    check_sharing(batch_size, devices, processes=workers, fewer_devices="a machine with")


def _open_start(init_from: str, directory: str, uploads: list[Input], *, offline: bool) -> Start | None:
    """Opens the model that `init_from` names; None if it is left open. Adds the upload of a local one, which then has a URI."""
    if offline and is_bucket(init_from):
        raise UsageError(
            f"{named('init_from')} {init_from} is in a bucket and is not read here, but the job's name depends on it; copy it here"
        )
    if init_from == AUTO:
        return None
    start = open_start(init_from)
    if not start.is_local:
        return start
    path = JobDirectory.model_at(Path(start.init_from))
    uploads.append(_upload_alone(path, Fingerprint.of(path), directory))
    return replace(start, init_from=uploads[-1].uri)


def _decide(request: Request, corpus: Corpus, start: Start | None, *, offline: bool) -> Decision:
    """Decides which job is meant, and checks that it is possible."""

    def look(place: JobPlace) -> JobDirectory:
        return _NO_JOB if offline else place.look()

    decision = decide(request, corpus, start=start, look=look)
    config, corpus = decide_unwrapping(decision.config, corpus, None if request.command.fresh else decision.job)
    if not request.command.fresh:
        corpus = check_job(decision.job, config, corpus, allow_changed_data=request.command.allow_changed_data).corpus
    check_text(corpus, Plan(config, corpus.vocabulary.size))
    return decision


def _decide_without_text(request: Request, start: Start | None) -> Decision:
    """Decides which job is meant, as far as that does not depend on the text."""
    if request.config.init_from in {AUTO, NONE} and request.minutes_to_choose_for is not None:
        raise UsageError(
            "which model suits the time depends on the text, which is in a bucket and is not read here; "
            f"name a model with {named('lstm_state_size')} or {named('config')}, or copy the text here"
        )
    start = Start() if start is None else start
    config = take_shape(start, request.config, request.given)
    place = with_job_name(config.job_dir, job_name(config, _prefix(config)))
    check_other_job(start.init_from, JobDirectory(Path(), place))
    return Decision(config, (), start, job_place(place), None, _NO_JOB)


def _prefix(config: TrainingConfig) -> str:
    """Returns the first part of the name of the job of a text that is not read."""
    return config.data_prefix or prefix_of(_named(config))


def _in_bucket(config: TrainingConfig, bucket_uri: str) -> TrainingConfig:
    """Makes URIs of the directories that textgen-train writes to. A relative path is relative to `textgen/` in the bucket."""
    places = {name: place for name in ("job_dir", "summary_dir") if (place := getattr(config, name)) is not None}
    for name, place in places.items():
        if not is_bucket(place) and (place.startswith("/") or ".." in place.split("/")):
            raise UsageError(
                f"{named(name)} of a cloud job must be gs://BUCKET/PATH, or a path relative to {bucket_uri}/textgen, got {place}"
            )
        uri = place if is_bucket(place) else below(bucket_uri, f"textgen/{place}")
        places[name] = BucketDirectory(uri).uri
    return replace(config, **places)


def _as_given(config: TrainingConfig) -> list[str]:
    texts = [f"--data_dir={config.data_dir}"] if config.data_dir is not None else list(config.texts)
    return [*texts, *([f"--data_prefix={config.data_prefix}"] if config.data_prefix else [])]


def _named(config: TrainingConfig) -> tuple[str, ...]:
    """The paths or URIs of the text."""
    return (config.data_dir,) if config.data_dir is not None else config.texts


def _uploaded(config: TrainingConfig, prefix: str, directory: str) -> tuple[list[str], list[Input]]:
    """The container's arguments for the texts, and the files that the bucket needs for them."""
    given = _named(config)
    if not given:
        return ([] if prefix == STORY_PREFIX else [f"--data_prefix={prefix}"]), []
    if all(map(is_bucket, given)):
        return _as_given(config), []
    if any(map(is_bucket, given)):
        raise UsageError("the texts must all be in a bucket or all be local, got some of each; copy them to one side")
    sources = find_text(config)
    vocabulary = () if sources.vocabulary is None else (sources.vocabulary,)
    together = (*sources.train, *sources.valid, *sources.test, *vocabulary)
    files = [(path, Fingerprint.of(path)) for path in together]
    stem = sources.train[0].name.removesuffix(".gz").removesuffix(".txt")
    first = stem.removesuffix(".train")
    if first != stem or (config.data_dir is not None and config.data_prefix is not None):
        folder = below(directory, name_by_content([content for _, content in files]))
        uploads = [Input(path, below(folder, path.name), content.crc32c) for path, content in files]
        return [f"--data_dir={folder}", f"--data_prefix={first}"], uploads
    uploads = [_upload_alone(path, content, directory) for path, content in files]
    return [*(upload.uri for upload in uploads), f"--data_prefix={prefix}"], uploads


def _upload_alone(path: Path, content: Fingerprint, directory: str) -> Input:
    """Returns the upload of a file into a folder of its own, which is named by the file's content."""
    return Input(path, below(directory, f"{name_by_content([content])}/{_printable(path.name)}"), content.crc32c)


def _printable(name: str) -> str:
    """A file's name as the name of an object."""
    readable = name.encode(errors="replace").decode()
    return "".join(mark if mark.isprintable() else "_" for mark in readable)


def _arguments(config: TrainingConfig, request: Request) -> Sequence[str]:
    """The settings that differ from the defaults, as flags; with a time limit, always the size of the model.

    How a new job is trained is chosen again in the container, which keeps what an existing job has.
    """
    # With a time limit alone, the container would choose a model, perhaps another one.
    always = () if config.time_limit is None else ("lstm_state_size", "layers")
    left_open = _CHOSEN_LATER - request.given
    explicit = {*always, *_CHOSEN_LATER.intersection(request.given)}
    flags = [
        setting.as_argument(getattr(config, setting.name))
        for setting in settings(config)
        if setting.name not in {*_NAMED_BY_US, *left_open}
        and (setting.name, getattr(config, setting.name)) != ("init_from", NONE)
        and (setting.name in explicit or getattr(config, setting.name) != setting.default)
    ]
    if request.command.allow_changed_data:
        flags.append("--allow_changed_data=true")
    if request.command.device != "auto":
        flags.append(f"--device={request.command.device}")
    return flags
