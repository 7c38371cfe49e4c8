"""Runs a training, from the request to the trained job. Loads TensorFlow last."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.config import CloudEnvironment, TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.console import Console, in_cloud_job
from textgen.corpus import Corpus
from textgen.errors import FormatError, MissingError, UsageError, named
from textgen.formatting import count
from textgen.jobs import CheckpointStore, Events, JobDirectory, JobState, read_metrics
from textgen.planning import Plan, check_sharing
from textgen.runs.automatic import shape_settings
from textgen.runs.checks import check_free_space, check_memory, check_text
from textgen.runs.decision import Decision, decide
from textgen.runs.existing_job import Found, check_job, check_movable
from textgen.runs.follow_chief import common_facts
from textgen.runs.init_from import find_model
from textgen.runs.open_text import decide_unwrapping, open_text
from textgen.runs.request import Request
from textgen.runs.show_advice import show_advice
from textgen.runs.show_plan import show_plan
from textgen.runs.tensorflow_loading import check_tensorflow, loading_tensorflow
from textgen.signals import Signals
from textgen.storage import Mirror, Upload, below, cache_directory, copy_to, find, is_bucket, state_path
from textgen.workers import Workers

if TYPE_CHECKING:
    from keras.callbacks import Callback


_NO_CLOUD = CloudEnvironment()


@dataclass(frozen=True)
class Trained:
    """A job at the end of a run.

    Attributes:
        job: its path or URI.
        summaries: the directory of TensorBoard's files, likewise.
        figures: the values that `textgen.training.train` returns, if the job was not finished before. If `json` is asked for,
            they follow those of the last evaluation.
    """

    job: str
    summaries: str
    figures: dict[str, Any]


def run(
    request: Request,
    *,
    signals: Signals,
    console: Console,
    environment: CloudEnvironment = _NO_CLOUD,
    callbacks: Sequence[Callback] = (),
    workers: Workers | None = None,
) -> Trained | None:
    """Trains what a request asks for.

    Args:
        request: the request for the run.
        signals: handles SIGINT and SIGTERM; already entered.
        console: shows the plan and the progress.
        environment: what Vertex AI tells its job.
        callbacks: Keras callbacks, called after textgen's own.
        workers: the other processes that train with this one; already entered. None if there are none.

    Returns:
        The job; None for a dry run.

    Raises:
        StoppedError: after SIGTERM, once the checkpoint is written.
        CancelledError: after SIGINT, likewise.
        LockedError: if the job is being trained already.
        TextgenError: if the run is not possible, or fails.
    """
    command = request.command
    if command.fresh and in_cloud_job():
        raise UsageError(
            f"{named('fresh')} would start over whenever Vertex AI restarts the job; give it to textgen vertex submit instead"
        )
    with console.busy("reading the text"):
        corpus = open_text(request.config)
    with console.busy("looking for the job"):
        decision = decide(request, corpus, environment.worker)
    job = decision.job
    if command.fresh:
        _check_movable(decision)
    fresh = command.fresh and not job.is_empty
    config, corpus = decide_unwrapping(decision.config, corpus, None if fresh else job)
    if command.dry_run or fresh or not job.exists:  # refuse before anything is created or renamed
        found, plan = _prepare(config, corpus, job, request, workers, fresh=fresh)
    if command.dry_run:
        show_plan(console, plan, found, job, decision, request=request, fresh=fresh)
        return None

    check_tensorflow("training")
    events = Events(console.say, console.warn, signals.fail, signals.hold)
    if command.fresh:
        _move_aside(decision, events, signals, console)
    with decision.place.open(events) as job, open_summaries(decision.summaries, job, events) as summary_dir:
        job.remove_abandoned()
        found, plan = _prepare(config, corpus, job, request, workers)
        show_plan(console, plan, found, job, decision, request=request)
        state = found.state
        figures: dict[str, Any] = {}
        if state is not None and _is_finished(plan, state) and not _must_rebuild_model(job):
            _say_finished(console, plan, state)
        else:
            start = find_model(decision.start, job, config, found.corpus)
            _gather(workers, request, config)
            with loading_tensorflow(console, deterministic=config.deterministic), signals.importing():
                from textgen.training import train
            figures = train(
                config,
                found.corpus,
                job,
                summary_dir=summary_dir,
                ids_directory=cache_directory("ids", expires=True),
                signals=signals,
                console=console,
                device=command.device,
                devices=command.devices,
                allow_changed_data=command.allow_changed_data,
                start=start,
                callbacks=callbacks,
                workers=workers,
            )
            if not (console.is_silent or command.json or in_cloud_job() or signals.received):
                show_advice(console, job, config, found.corpus)
        if environment.model_dir is not None:
            copy_to(job.model, below(environment.model_dir, job.model.name))
        if command.json:
            figures = dict(*read_metrics(job.metrics)[-1:], **figures)
    return Trained(str(job), decision.summaries or below(str(job), job.logs.name), figures)


def _gather(workers: Workers | None, request: Request, config: TrainingConfig) -> None:
    """Waits for the other processes, if there are any, and lets them load TensorFlow."""
    if workers is not None:
        workers.gather(common_facts(request))
        workers.tell("train", config=to_yaml(config), device=request.command.device)


def _check_movable(decision: Decision) -> None:
    """Checks that the existing jobs may be renamed."""
    check_movable(decision.job)
    if decision.replaced is not None:
        check_movable(decision.replaced.look())


def _move_aside(decision: Decision, events: Events, signals: Signals, console: Console) -> None:
    """Renames the existing jobs, if there are any."""
    for place in filter(None, (decision.replaced, decision.place)):
        aside = place.move_aside(events)
        if aside is not None:
            console.say(f"The old job is now {aside}")
    signals.advice = signals.advice.replace("again", f"without {named('fresh')}", 1)


def _prepare(
    config: TrainingConfig,
    corpus: Corpus,
    job: JobDirectory,
    request: Request,
    workers: Workers | None,
    *,
    fresh: bool = False,
) -> tuple[Found, Plan]:
    """Checks that the run is possible on this machine, before TensorFlow is loaded.

    Args:
        config: the settings.
        corpus: the text, with the vocabulary made from it.
        job: the job directory.
        request: the request for the run.
        workers: the other processes that train with this one; None if there are none.
        fresh: whether an existing job will be renamed.

    Returns:
        The job to resume, and the plan of the run.

    Raises:
        TextgenError: if the run is not possible.
    """
    allow = request.command.allow_changed_data
    found = Found(corpus) if fresh else check_job(job, config, corpus, allow_changed_data=allow)
    plan = Plan(config, found.corpus.vocabulary.size)
    check_text(found.corpus, plan)
    processes, devices = request.command.workers or 1, request.command.devices
    check_sharing(config.batch_size, devices if isinstance(devices, int) else 1, processes=processes)
    if fresh:
        check_free_space(job.root.parent, plan, kept=0)
    elif found.state is None or not _is_finished(plan, found.state):
        store = CheckpointStore(job.checkpoints)
        check_free_space(job.checkpoints, plan, kept=sum(map(store.size, store.steps())))
    if request.device == "cpu":
        here = 1 if workers is None else workers.cluster.processes_here
        check_memory(plan, processes=processes, processes_here=here)
    return found, plan


@contextlib.contextmanager
def open_summaries(place: str | None, job: JobDirectory, events: Events) -> Iterator[Path]:
    """Yields a local directory for TensorBoard's files; if they belong in a bucket, waits for the last uploads at the end.

    Args:
        place: a path, a URI that begins with `gs://`, or None for the job's own directory.
        job: the job of the run.
        events: reports on the uploads.

    Raises:
        TextgenError: if the bucket cannot be read or written.
    """
    if place is None or place.rstrip("/") == below(str(job), job.logs.name):
        yield job.logs
    elif not is_bucket(place):
        yield Path(place)
    else:
        # Not one for all jobs that write to this place: each would upload the files that another is still writing.
        key = hashlib.sha256(f"{place} {job}".encode()).hexdigest()[:32]
        local = state_path(f"summaries/{key}")
        with Mirror(
            place,
            lambda: [
                Upload(path.relative_to(local).as_posix(), path)
                for path in find(local, "**/*")
                if path.is_file() and not path.name.startswith(".")
            ],
            warn=events.warn,
            lost=events.lost,
            advice=f"they are all in {local}",
        ):
            yield local


def _is_finished(plan: Plan, state: JobState) -> bool:
    return state.status == "finished" and bool(_limits_reached(plan, state))


def _limits_reached(plan: Plan, state: JobState) -> list[str]:
    return plan.reached(epochs=state.epochs, steps=state.steps, minutes=state.minutes, stale=state.stale)


def _must_rebuild_model(job: JobDirectory) -> bool:
    """Returns whether the model file is missing or damaged, and there is a checkpoint to rebuild it from."""
    from textgen.generation import read_model

    try:
        read_model(job.model)
    except (FormatError, MissingError):
        return bool(CheckpointStore(job.checkpoints).steps())
    return False


def _say_finished(console: Console, plan: Plan, state: JobState) -> None:
    limits = " and ".join(named(name) for name in _limits_reached(plan, state))
    console.say(
        f"This job is finished: {count(state.steps, 'step')}, {count(state.epochs, 'epoch')}, {state.minutes:.1f} minutes. "
        f"To continue it, raise {limits}, with {shape_settings(plan.config)} to keep this model; to start over, use {named('fresh')}."
    )
