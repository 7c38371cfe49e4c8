"""Trains a model on a corpus in a job directory: encodes the text, fits until an attempt succeeds, evaluates the test text."""

from __future__ import annotations

import gc
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.corpus import Corpus, Section
from textgen.corpus.cached_array import StoredArray
from textgen.dataset import Streams, count_tokens, encode, find_after_white_space
from textgen.errors import MissingError, named
from textgen.generation import ModelFile, read_model
from textgen.generation.vocabulary_transfer import with_vocabulary
from textgen.jobs import Checkpoint, CheckpointStore, JobDirectory, JobState
from textgen.planning import Devices
from textgen.signals import Interrupted, Signals
from textgen.training.attempt import Attempt, Run
from textgen.training.conversion import score_values, take_weights
from textgen.training.determinism import fix_kernels, fix_threads
from textgen.training.device import Device, check_precision, choose_count, choose_device, describe_machine, gpu_details
from textgen.training.evaluator import metrics_record
from textgen.training.leading import Leader
from textgen.training.progress import Progress
from textgen.training.tensorflow_failures import explaining_memory
from textgen.training.validator import Validator
from textgen.version import __version__
from textgen.workers import Workers


@explaining_memory()
def train(
    config: TrainingConfig,
    corpus: Corpus,
    job: JobDirectory,
    *,
    summary_dir: Path,
    ids_directory: Path,
    signals: Signals,
    console: Console,
    device: Device = "auto",
    devices: Devices = None,
    allow_changed_data: bool = False,
    start: ModelFile | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    workers: Workers | None = None,
) -> dict[str, Any]:
    """Trains until the job's limits are reached, resuming from the job directory's newest checkpoint.

    Args:
        config: the settings.
        corpus: the text.
        job: the job directory; created if missing.
        summary_dir: the directory for TensorBoard's files.
        ids_directory: the cache of encoded texts.
        signals: handles SIGINT and SIGTERM; already entered.
        console: shows the progress.
        device: the kind of device to train on.
        devices: the number of devices; None for as many as can share the batch.
        allow_changed_data: whether the job may resume with a different text.
        start: the model whose weights a job without a checkpoint starts from, of the shape of the config; None for new
            weights.
        callbacks: called after textgen's own. One Keras epoch is the whole run.
        workers: the other processes that train, if there are any; they follow this one (`textgen.training.following`).

    Returns:
        The values that `--json` prints: steps, epochs, train_loss (nats per token), valid_loss, valid_perplexity,
        valid_bits_per_character, valid_sha256 (the hash of the validation text), learning_rate, gradient_norm, tokens_per_second,
        seconds, machine. With a test text, also test_... of the best model, and only those if the job had already reached its limits.

    Raises:
        StoppedError: after SIGTERM, once the checkpoint is written.
        CancelledError: after SIGINT, likewise.
        DivergedError: if going back to the last checkpoint did not help.
        UnavailableError: if the device does not exist, there are fewer of them, or the model does not fit in its memory.
        UsageError: if the devices cannot share the batch.
        TextgenError: if the text is too short, or a file cannot be read or written.
    """

    def encoded(section: Section) -> StoredArray:
        with console.busy("encoding the text"):
            return encode(section, corpus.vocabulary, ids_directory)

    leader = Leader(workers, console)
    chosen, device_count = _choose_devices(device, devices, config, leader.processes, console)
    store = CheckpointStore(job.checkpoints)
    checkpoint = _newest(job, store, console)
    identity = _identity(corpus, checkpoint, start)
    if config.deterministic:
        before = {} if checkpoint is None else checkpoint.facts.get("arithmetic", {})
        identity["arithmetic"] = fix_threads(before, console.warn, devices=device_count * leader.processes)
    replicas = leader.connect(device_count, identity.get("arithmetic", {}).get("threads"), signals)
    ids, valid_ids = encoded(corpus.train), encoded(corpus.valid)
    if config.deterministic:
        fix_kernels()
    vocabulary_size = corpus.vocabulary.size
    counts = count_tokens(ids, vocabulary_size)
    leader.send_text(corpus, counts, ids_directory, job)
    run = Run(
        config=config,
        corpus=corpus,
        streams=Streams(ids, config.batch_size, config.unroll_steps, config.seed),
        replicas=replicas,
        counts=counts,
        start=None if start is None else with_vocabulary(start, corpus.vocabulary, counts, ids),
        after_white_space=find_after_white_space(ids, corpus.vocabulary),
        validator=Validator(config, vocabulary_size, valid_ids, corpus.valid.characters),
        machine=describe_machine(chosen),
        job=job,
        store=store,
        summary_dir=summary_dir,
        identity=identity,
        allow_changed_data=allow_changed_data,
        signals=signals,
        console=console,
        leader=leader,
        callbacks=callbacks,
    )
    with leader.naming_lost_processes():
        attempt = Attempt(run, checkpoint, rollbacks=0)
        del checkpoint  # with its tensors, which would take memory for as long as training runs
        while attempt.fit() == "rollback":
            rollbacks = attempt.progress.rollbacks + 1
            console.warn(
                f"training diverged at step {attempt.progress.step}: returning to the last checkpoint, or to the start, with half the learning rate "
                f"({rollbacks} of at most {config.max_rollbacks} times)"
            )
            del attempt
            gc.collect()  # Keras' models refer to themselves, and two would take twice the memory
            attempt = Attempt(run, _newest(job, store, console), rollbacks)
    progress = attempt.progress
    if signals.received is not None and progress.status == "stopped":
        raise signals.error(f"stopped at step {progress.step}, which is saved")
    summary = {}
    if progress.scores is not None:
        summary = metrics_record(progress, corpus.valid.sha256, run.machine)
        _say_best(console, progress, patience=config.patience)
    if corpus.test is not None and progress.status == "finished":
        signals.hold()
        try:
            signals.check()
            take_weights(attempt.model, read_model(job.model))
            validator = Validator(config, vocabulary_size, encoded(corpus.test), corpus.test.characters)
            scores = validator(attempt.model, signals.check)
        except Interrupted:
            progress.status = "stopped"
            attempt.note_state()
            raise signals.error(
                f"stopped at step {progress.step}, which is saved, before the test text was evaluated"
            ) from None
        console.say(f"test text, with the best model: {scores}")
        summary |= score_values(scores, "test")
        attempt.note_state(tested=True)
    return summary


def _choose_devices(
    device: Device, devices: Devices, config: TrainingConfig, processes: int, console: Console
) -> tuple[str, int]:
    """Chooses the devices of this process and prints them; must be called before TensorFlow's first operation.

    Returns:
        Their description, and their number.
    """
    chosen = choose_device(device)
    console.say(f"Training on {chosen}; TensorFlow {tf.__version__}, Keras {keras.__version__}")
    count, sharing = choose_count(devices, config.batch_size, processes=processes)
    if sharing:
        console.say(f"  {sharing}")
    remark = check_precision(config.precision, gpu_details())
    if remark:
        console.warn(remark)
    return chosen, count


def _say_best(console: Console, progress: Progress, *, patience: int | None) -> None:
    """Prints which step was the best, and whether training overfitted after it."""
    if patience is not None and progress.stale >= patience:
        console.say(f"training ends: no improvement in the last {progress.stale} evaluations")
    best = f"best at step {progress.best_step:,} ({progress.best_loss:.3f})"
    overfitted = "; training after it overfitted; the best model is kept" if progress.overfits else ""
    fields = {"best_step": progress.best_step or 0, "best_valid_loss": progress.best_loss or 0.0}
    console.say(best + overfitted, fields=fields)


def _newest(job: JobDirectory, store: CheckpointStore, console: Console) -> Checkpoint | None:
    """The checkpoint to resume from; None for a job without any.

    Raises:
        MissingError: if the job's checkpoints are gone: it would start over and overwrite its own results.
        TextgenError: if none can be used, or the operating system refuses.
    """
    checkpoint = store.newest(lambda problem: console.warn(f"skipping a checkpoint: {problem}"))
    if checkpoint is None and (state := JobState.find(job.state)) is not None and state.steps:
        raise MissingError(
            f"{job} is at step {state.steps}, but there are no checkpoints in {store.directory}; restore them, "
            f"or use {named('fresh')} to start over"
        )
    return checkpoint


def _identity(corpus: Corpus, checkpoint: Checkpoint | None, start: ModelFile | None) -> dict[str, Any]:
    """The part of a checkpoint that identifies the text, the model that training started from, and the versions of the programs."""
    if checkpoint is not None:
        started_from = checkpoint.facts.get("started_from")
    else:
        started_from = None if start is None else start.sha256
    return {
        "started_from": started_from,
        "data_sha256": corpus.sha256,
        "vocabulary_sha256": corpus.vocabulary.sha256,
        "versions": {
            "textgen": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }
