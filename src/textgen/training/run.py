"""Trains a model on a corpus in a job directory: puts the parts together and starts the fit loop."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.console import Console
from textgen.corpus import Corpus, Section
from textgen.dataset import Streams, encode, training_windows
from textgen.errors import CancelledError, StoppedError, TextgenError, UnavailableError
from textgen.generation import write_model
from textgen.jobs import CheckpointStore, JobDirectory, JobState
from textgen.model import LanguageModel, build_model
from textgen.planning import Plan
from textgen.storage import write_atomic
from textgen.training.board import Board
from textgen.training.checkpointing import SaveCheckpoints
from textgen.training.display import Display
from textgen.training.evaluation import Evaluator, metrics_record
from textgen.training.export import score_values
from textgen.training.limits import Signals, StopAtLimits
from textgen.training.optimization import make_optimizer
from textgen.training.progress import Progress, Tracker
from textgen.training.resuming import resume
from textgen.training.schedule import LearningRate
from textgen.training.state import restore
from textgen.training.validation import Validator, unknown_share
from textgen.version import __version__


def train(
    config: TrainingConfig,
    corpus: Corpus,
    job: JobDirectory,
    *,
    summary_dir: Path,
    ids_directory: Path,
    console: Console,
) -> dict[str, Any]:
    """Trains until the job's limits are reached, going on with what the job directory holds.

    Args:
        config: the settings.
        corpus: the text.
        job: where everything is kept; made when missing.
        summary_dir: where TensorBoard's files go.
        ids_directory: where the encoded text is cached.
        console: shows how it goes.

    Returns:
        What `--json` prints: steps, epochs, train_loss (nats per token), valid_loss, valid_perplexity,
        valid_bits_per_character, learning_rate, tokens_per_second, seconds; test_... of the best model too where
        there is a test text. Empty when the job had reached its limits before.

    Raises:
        StoppedError: after SIGTERM, when the checkpoint is written.
        CancelledError: after SIGINT, likewise.
        TextgenError: when the text is too short, or a file cannot be read or written.
    """

    def encoded(section: Section) -> np.ndarray:
        with console.busy("encoding the text"):
            return encode(section, corpus.vocabulary, corpus.sha256, ids_directory)

    keras.utils.set_random_seed(config.seed)
    ids = encoded(corpus.train)
    streams = Streams(ids, config.batch_size, config.unroll_steps, config.seed)
    vocabulary_size = corpus.vocabulary.size
    validator = Validator(config, vocabulary_size, encoded(corpus.valid), corpus.valid.characters)

    model = compile_model(config, vocabulary_size)
    progress = Progress(
        streams.steps_per_epoch,
        streams.tokens_per_step,
        characters_per_token=corpus.train.characters / len(ids),
        unknown_share=unknown_share(ids),
    )
    store = CheckpointStore(job.checkpoints)
    continues = resume(model, progress, store, config, data_sha256=corpus.sha256, console=console)
    write_atomic(job.config, to_yaml(config))
    write_atomic(job.vocabulary, json.dumps(corpus.vocabulary.to_json(), ensure_ascii=False) + "\n")
    windows = training_windows(streams, progress.epoch, progress.epoch_step, continues=continues)

    plan, signals = Plan(config, vocabulary_size), Signals()
    evaluator = Evaluator(
        config,
        vocabulary=corpus.vocabulary,
        data_sha256=corpus.sha256,
        job=job,
        progress=progress,
        validator=validator,
        console=console,
    )

    def note_state() -> None:
        JobState(progress.status, progress.step, progress.epoch, progress.minutes, corpus.sha256).write(job.state)

    def saved() -> None:
        if progress.best_loss is None:
            write_model(job.model, evaluator.model_file(None))
        note_state()

    display = Display(console, plan, progress)
    callbacks = [
        Tracker(progress),
        LearningRate(plan, progress),
        StopAtLimits(plan, progress, signals),
        evaluator,
        SaveCheckpoints(store, config, _identity(corpus), progress, saved),
        Board(summary_dir, progress),
        display,
    ]
    if plan.fraction(epochs=progress.epochs, steps=progress.step, minutes=progress.minutes) >= 1:
        progress.status = "finished"
        note_state()
        return {}
    note_state()
    with signals, display:
        # One Keras epoch is the whole run: a job resumes in the middle of the text's epochs, which `progress` counts.
        try:
            model.fit(windows, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)
        except tf.errors.ResourceExhaustedError as error:
            raise UnavailableError(
                "the model does not fit in memory; lower --batch_size, --unroll_steps or --lstm_state_size"
            ) from error
    if progress.status == "stopped":
        raise _stopped(signals, progress)

    summary = metrics_record(progress)
    if corpus.test is not None and progress.best_step is not None:
        restore(model, store.read(progress.best_step).tensors, optimizer=False, states=False)
        scores = Validator(config, vocabulary_size, encoded(corpus.test), corpus.test.characters)(model)
        console.say(f"test text, with the best model: {scores}")
        summary |= score_values(scores, "test")
    return summary


def compile_model(config: TrainingConfig, vocabulary_size: int) -> LanguageModel:
    """The model of a config, ready to fit."""
    model = build_model(config, vocabulary_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA compiles the whole training step for minutes, and runs it slower on a CPU.
    model.compile(make_optimizer(config), loss, jit_compile=False)
    return model


def _identity(corpus: Corpus) -> dict[str, Any]:
    """What a checkpoint says of the text and the programs behind it."""
    return {
        "data_sha256": corpus.sha256,
        "vocabulary_sha256": corpus.vocabulary.sha256,
        "versions": {
            "textgen": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }


def _stopped(signals: Signals, progress: Progress) -> TextgenError:
    text = f"stopped at step {progress.step}, which is saved; run the same command again to go on"
    return CancelledError(text) if signals.received and signals.received.name == "SIGINT" else StoppedError(text)
