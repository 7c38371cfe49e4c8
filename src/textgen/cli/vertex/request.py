"""Makes the request for a cloud job from the arguments of `submit` and `yaml`. Uploads nothing and starts nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textgen.cli.prompt_text import check_sample_prompt
from textgen.cli.vertex.settings import add_vertex_settings, read_vertex_config
from textgen.cloud.job_spec import make_job
from textgen.cloud.machines import find_machine
from textgen.config import TrainCommand, TrainingConfig, job_name, settings, with_job_name
from textgen.config.flags import Parser, build
from textgen.config.vertex import VertexConfig
from textgen.corpus import Corpus, prefix_of
from textgen.errors import MissingError, UsageError
from textgen.jobs import JobDirectory, job_place
from textgen.planning import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, DeviceKind, Plan
from textgen.runs.automatic import complete, minutes_to_choose_for
from textgen.runs.decision import find_start
from textgen.runs.enough_text import check_enough_text
from textgen.runs.existing_job import check_job
from textgen.runs.init_from import (
    AUTO,
    NONE,
    Start,
    check_other_job,
    check_start,
    kept_start,
    open_start,
    take_shape,
)
from textgen.runs.job_config import START_OVER, read_config
from textgen.runs.model_file_size import check_model_file
from textgen.runs.preset import read_preset
from textgen.runs.text import STORY_PREFIX, decide_unwrapping, find_text, open_text
from textgen.storage import BucketDirectory, Fingerprint, below, is_bucket, name_by_content

_NAMED_BY_US = ("texts", "data_dir", "data_prefix", "job_dir")
_LONGEST_DISPLAY_NAME = 128
_CHOSEN_LATER = {"minutes", *CHOSEN_SETTINGS} - {*SHAPE_SETTINGS}
"""The settings that the container chooses unless they are given, even if they are given as their defaults."""


@dataclass(frozen=True)
class Upload:
    """A file that the bucket needs.

    Attributes:
        path: the file.
        uri: the URI of the object, which is named by the file's content.
        crc32c: the checksum of that content.
    """

    path: Path
    uri: str
    crc32c: str


@dataclass(frozen=True)
class Request:
    """A job that could be started.

    Attributes:
        vertex: the place and the machine.
        place: the URI of the job directory.
        uploads: the files that the bucket needs first.
        job: the CustomJob.
        corpus: the text; None for a text in a bucket that was not read, because no network may be used.
        config: the settings of the training.
        command: the other arguments of textgen-train.
        choices: the settings that were chosen automatically.
        start: what training starts from, in words; empty if the user chose to start from scratch.
        starts_automatically: whether `init_from` was left open.
    """

    vertex: VertexConfig
    place: str
    uploads: tuple[Upload, ...]
    job: dict[str, Any]
    corpus: Corpus | None
    config: TrainingConfig
    command: TrainCommand
    choices: tuple[Choice, ...]
    start: str
    starts_automatically: bool


def add_request_settings(parser: Parser) -> None:
    """Adds the flags that `make_request` understands."""
    parser.add_settings(TrainingConfig)
    parser.add_settings(TrainCommand)
    add_vertex_settings(parser)


def make_request(values: Mapping[str, Any], *, offline: bool) -> Request:
    """Reads the settings and the text, and checks them as textgen-train does.

    Args:
        values: the values of the flags.
        offline: whether to use no network; a text in a bucket is then not read.

    Raises:
        TextgenError: for anything that textgen-train would refuse, and for an invalid place or machine.
    """
    vertex = read_vertex_config(values)
    vertex.require("project", "region", "bucket", "image")
    command = build(TrainCommand, values)
    preset = {} if command.config is None else read_preset(command.config, values)
    given = {**preset, **values}
    config = _in_bucket(build(TrainingConfig, given), vertex)  # before the text: a local folder of that name is no job
    starts_automatically = config.init_from == AUTO
    choices: tuple[Choice, ...] = ()
    uploads: list[Upload] = []
    if offline and is_bucket(config.init_from):
        raise UsageError(
            f"--init_from {config.init_from} is in a bucket and is not read here, but the job's name depends on it; copy it here"
        )
    if offline and any(map(is_bucket, _named(config))):
        if config.init_from in {AUTO, NONE} and minutes_to_choose_for(config, command, given) is not None:
            raise UsageError(
                "which model suits the time depends on the text, which is in a bucket and is not read here; "
                "name a model with --lstm_state_size or --config, or copy the text here"
            )
        corpus, prefix = None, config.data_prefix or prefix_of(_named(config))
        texts = _as_given(config)
        start = Start() if config.init_from == AUTO else open_start(config.init_from)
        config = take_shape(start, config, given)
    else:
        corpus = open_text(config)
        kind: DeviceKind = "cpu" if find_machine(vertex).accelerator is None or command.device == "cpu" else "gpu"
        start = find_start(config, command, given, corpus, kind)
        if start.is_chosen and not offline:
            from_scratch, _ = complete(config, command, given, corpus, kind)
            if _started_from_scratch(from_scratch, corpus.prefix):
                start = Start()
        config = take_shape(start, config, given)
        check_start(start, config, corpus)
        config, choices = complete(config, command, given, corpus, kind, started=start.shape)
        check_model_file(config, corpus.vocabulary)
        check_enough_text(corpus, Plan(config, corpus.vocabulary.size))
        check_sample_prompt(config.sample_prompt, corpus.vocabulary)
        prefix = corpus.prefix
        texts, uploads = _uploaded(config, prefix, below(vertex.bucket_uri, "textgen/data"))
    name = job_name(config, prefix)
    if start.is_local:
        uploads.append(_upload_of_model(start, below(vertex.bucket_uri, "textgen/models")))
        config = replace(config, init_from=uploads[-1].uri)
    place = with_job_name(config.job_dir, name)
    job_place(place)  # refuses a name that no local copy can have
    check_other_job(config.init_from, JobDirectory(Path(), place))
    if config.summary_dir is not None:
        config = replace(config, summary_dir=with_job_name(config.summary_dir, name))
    arguments = [*texts, *_arguments(config, command, given)]
    job = make_job(vertex, name[:_LONGEST_DISPLAY_NAME], arguments, place)
    return Request(
        vertex, place, tuple(uploads), job, corpus, config, command, choices, start.description, starts_automatically
    )


def check_existing(request: Request) -> None:
    """Checks that the job directory in the bucket, if there is one, belongs to this model and this text.

    Raises:
        TextgenError: if it does not, or the bucket cannot be read.
    """
    if request.corpus is not None and not request.command.fresh:
        job = job_place(request.place).look()
        config, corpus = decide_unwrapping(request.config, request.corpus, job)
        check_job(job, config, corpus, allow_changed_data=request.command.allow_changed_data)
        if job.exists and not request.starts_automatically:
            kept_start(job, read_config(job.config, START_OVER), request.config.init_from)


def _started_from_scratch(config: TrainingConfig, prefix: str) -> bool:
    """Returns whether these settings have a job that started from scratch, as all jobs did before there was a base model."""
    try:
        job = job_place(with_job_name(config.job_dir, job_name(config, prefix))).look()
    except MissingError:  # a missing bucket is refused later
        return False
    return job.exists and kept_start(job, read_config(job.config, START_OVER), AUTO) == NONE


def _in_bucket(config: TrainingConfig, vertex: VertexConfig) -> TrainingConfig:
    """Makes URIs of the directories that textgen-train writes to. A relative path is relative to `textgen/` in the bucket."""
    places = {name: place for name in ("job_dir", "summary_dir") if (place := getattr(config, name)) is not None}
    for name, place in places.items():
        if not is_bucket(place) and (place.startswith("/") or ".." in place.split("/")):
            raise UsageError(
                f"--{name} of a cloud job must be gs://BUCKET/PATH, or a path relative to {vertex.bucket_uri}/textgen, got {place}"
            )
        uri = place if is_bucket(place) else below(vertex.bucket_uri, f"textgen/{place}")
        places[name] = BucketDirectory(uri).uri
    return replace(config, **places)


def _as_given(config: TrainingConfig) -> list[str]:
    texts = [f"--data_dir={config.data_dir}"] if config.data_dir is not None else list(config.texts)
    return [*texts, *([f"--data_prefix={config.data_prefix}"] if config.data_prefix else [])]


def _named(config: TrainingConfig) -> tuple[str, ...]:
    """The paths or URIs of the text."""
    return (config.data_dir,) if config.data_dir is not None else config.texts


def _uploaded(config: TrainingConfig, prefix: str, directory: str) -> tuple[list[str], list[Upload]]:
    """The container's arguments for the texts, and the files that the bucket needs for them."""
    named = _named(config)
    if not named:
        return ([] if prefix == STORY_PREFIX else [f"--data_prefix={prefix}"]), []
    if all(map(is_bucket, named)):
        return _as_given(config), []
    if any(map(is_bucket, named)):
        raise UsageError("the texts must all be in a bucket or all be local, got some of each; copy them to one side")
    sources = find_text(config)
    vocabulary = () if sources.vocabulary is None else (sources.vocabulary,)
    together = (*sources.train, *sources.valid, *sources.test, *vocabulary)
    files = [(path, Fingerprint.of(path)) for path in together]
    stem = sources.train[0].name.removesuffix(".gz").removesuffix(".txt")
    first = stem.removesuffix(".train")
    if first != stem or (config.data_dir is not None and config.data_prefix is not None):
        folder = below(directory, name_by_content([content for _, content in files]))
        uploads = [Upload(path, below(folder, path.name), content.crc32c) for path, content in files]
        return [f"--data_dir={folder}", f"--data_prefix={first}"], uploads
    uploads = [_upload_alone(path, content, directory) for path, content in files]
    return [*(upload.uri for upload in uploads), f"--data_prefix={prefix}"], uploads


def _upload_of_model(start: Start, directory: str) -> Upload:
    """Returns the upload of the model that training starts from."""
    path = Path(start.init_from)
    path = JobDirectory(path).model if path.is_dir() else path
    return _upload_alone(path, Fingerprint.of(path), directory)


def _upload_alone(path: Path, content: Fingerprint, directory: str) -> Upload:
    """Returns the upload of a file into a folder of its own, which is named by the file's content."""
    return Upload(path, below(directory, f"{name_by_content([content])}/{_plain(path.name)}"), content.crc32c)


def _plain(name: str) -> str:
    """A file's name as the name of an object."""
    readable = name.encode(errors="replace").decode()
    return "".join(mark if mark.isprintable() else "_" for mark in readable)


def _arguments(config: TrainingConfig, command: TrainCommand, given: Collection[str]) -> Sequence[str]:
    """The settings that differ from the defaults, as flags; with a time limit, always the size of the model.

    How a new job is trained is chosen again in the container, which keeps what an existing job has.
    """
    # With a time limit alone, the container would choose a model, perhaps another one.
    always = () if config.time_limit is None else ("lstm_state_size", "layers")
    left_open = _CHOSEN_LATER - set(given)
    explicit = {*always, *_CHOSEN_LATER.intersection(given)}
    flags = [
        setting.as_argument(getattr(config, setting.name))
        for setting in settings(config)
        if setting.name not in {*_NAMED_BY_US, *left_open}
        and (setting.name, getattr(config, setting.name)) != ("init_from", NONE)
        and (setting.name in explicit or getattr(config, setting.name) != setting.default)
    ]
    if command.allow_changed_data:
        flags.append("--allow_changed_data=true")
    if command.device != "auto":
        flags.append(f"--device={command.device}")
    return flags
