"""One attempt to train: builds a model, resumes from a checkpoint, and fits until a limit, a signal or a failure."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.console import Console
from textgen.corpus import UNKNOWN_ID, Corpus
from textgen.dataset import Streams, training_windows
from textgen.errors import DivergedError, named
from textgen.evaluation import Scores
from textgen.generation import ModelFile
from textgen.jobs import Checkpoint, CheckpointStore, JobDirectory, JobState
from textgen.machine import physical_cores
from textgen.model import MOST_STEPS_PER_CALL, LanguageModel, build_model, has_gpu
from textgen.planning import Plan
from textgen.signals import Signals
from textgen.storage import write_atomic
from textgen.training.board import Board
from textgen.training.capture import local_rows
from textgen.training.checkpointing import SaveCheckpoints
from textgen.training.control_callback import ControlCallback
from textgen.training.controller import Controller
from textgen.training.conversion import take_weights, to_model_file
from textgen.training.display import Display
from textgen.training.evaluator import Evaluator
from textgen.training.leading import Leader
from textgen.training.optimization import make_optimizer
from textgen.training.progress import Progress
from textgen.training.projector import Projector
from textgen.training.replicas import Replicas
from textgen.training.results import Results
from textgen.training.resuming import resume
from textgen.training.validator import Validator


@dataclass(frozen=True)
class Run:
    """What all attempts of a run share.

    Attributes:
        config: the settings.
        corpus: the text.
        streams: the windows of its training section.
        replicas: the replicas that share their rows.
        counts: how often each id occurs there, `(vocabulary_size,)`.
        start: the model that a job without a checkpoint starts from, with the vocabulary of the text; None for new weights.
        after_white_space: the tokens that directly follow white space there, as in `ModelFile`.
        validator: evaluates the model on the validation section.
        machine: the machine and the programs that train; see `describe_machine`.
        job: the job directory.
        store: the job's checkpoints.
        summary_dir: the directory for TensorBoard's files.
        identity: the part of a checkpoint that identifies the text, the model that training started from, and the versions of
            the programs.
        allow_changed_data: whether the job may resume with a different text.
        signals: handles SIGINT and SIGTERM.
        console: shows the progress.
        leader: leads the other processes that train.
        callbacks: the caller's callbacks.
    """

    config: TrainingConfig
    corpus: Corpus
    streams: Streams
    replicas: Replicas
    counts: np.ndarray
    start: ModelFile | None
    after_white_space: Mapping[str, Sequence[str]] | None
    validator: Validator
    machine: str
    job: JobDirectory
    store: CheckpointStore
    summary_dir: Path
    identity: Mapping[str, Any]
    allow_changed_data: bool
    signals: Signals
    console: Console
    leader: Leader
    callbacks: Sequence[keras.callbacks.Callback] = ()


class Attempt:
    """A model in the state in which training starts or resumes.

    Args:
        run: what all attempts share.
        checkpoint: the checkpoint to resume from; None for a job without any.
        rollbacks: the number of times the job has gone back to a checkpoint, if the checkpoint has a smaller one.

    Attributes:
        model: the compiled model.
        progress: the position in the training.

    Raises:
        TextgenError: if the checkpoint does not fit, or a file cannot be written.
    """

    def __init__(self, run: Run, checkpoint: Checkpoint | None, rollbacks: int) -> None:
        self._run = run
        config, corpus, streams, job = run.config, run.corpus, run.streams, run.job
        run.leader.begin_attempt()
        keras.utils.set_random_seed(config.seed)
        self.model = compile_model(config, corpus.vocabulary.size, run.counts, run.replicas)
        self.progress = progress = Progress(
            streams.steps_per_epoch,
            streams.tokens_per_step,
            characters_per_token=corpus.train.characters / len(streams.ids),
            unknown_share=float(run.counts[UNKNOWN_ID]) / len(streams.ids),
        )
        continues = False
        if checkpoint is None and run.start is not None:
            take_weights(self.model, run.start)
        rows = run.replicas.rows(config.batch_size)
        if checkpoint is not None:
            continues = resume(
                self.model,
                progress,
                replace(checkpoint, tensors=local_rows(checkpoint.tensors, rows, config.batch_size)),
                config,
                data_sha256=corpus.sha256,
                vocabulary_sha256=corpus.vocabulary.sha256,
                allow_changed_data=run.allow_changed_data,
                console=run.console,
            )
        progress.rollbacks = max(progress.rollbacks, rollbacks)
        run.leader.send_state(self.model, progress, checkpoint, continues=continues)
        write_atomic(job.config, to_yaml(config))
        write_atomic(job.vocabulary, json.dumps(corpus.vocabulary.to_json(), ensure_ascii=False) + "\n")
        self._results = self._restore_results(checkpoint)
        self._windows = run.replicas.distribute(
            lambda: training_windows(streams, progress.epoch, progress.epoch_step, continues=continues, rows=rows)
        )

    def fit(self) -> str:
        """Trains until a limit (`progress.status` is then `finished`) or a signal (`stopped`); at a limit, does nothing.

        Returns:
            Why training ended, as `Decision.end`; `rollback` asks for another attempt.

        Raises:
            DivergedError: if the loss, the gradient or a weight is no longer a finite number, and no other attempt is allowed.
            TextgenError: if the last save fails.
        """
        run, progress = self._run, self.progress
        plan = Plan(run.config, run.corpus.vocabulary.size)
        controller = Controller(
            plan,
            progress,
            device="gpu" if has_gpu() else "cpu",
            cores=len(physical_cores()) * run.leader.processes,
            most_steps=MOST_STEPS_PER_CALL,
            now=time.monotonic(),
        )
        evaluator = Evaluator(
            run.config,
            to_file=self._to_file,
            results=self._results,
            progress=progress,
            validator=run.validator,
            valid_sha256=run.corpus.valid.sha256,
            machine=run.machine,
            signals=run.signals,
            console=run.console,
        )
        control = ControlCallback(
            controller,
            evaluator,
            run.signals,
            copy_state=lambda: run.leader.copy_state(self.model),
            announce=run.leader.announce,
        )
        control.set_model(self.model)
        control.decide()
        self.note_state()
        if not control.decision.end:
            with Display(run.console, plan, progress) as display:
                self._fit(control, display)
        if progress.status == "stopped":
            self.note_state()  # there may have been nothing new to save
        if control.decision.end == "diverged":
            raise _diverged(progress)
        return control.decision.end

    def note_state(self, *, tested: bool = False) -> None:
        """Writes the job's state, which is not `finished` before the last step and the test text are evaluated.

        Args:
            tested: whether the test text is evaluated.

        Raises:
            TextgenError: if the operating system refuses.
        """
        progress, corpus = self.progress, self._run.corpus
        status = progress.status
        is_evaluated = progress.step == progress.scored_step and (tested or corpus.test is None)
        if status == "finished" and not is_evaluated:
            status = "running"
        state = JobState(status, progress.step, progress.epoch, progress.minutes, corpus.sha256, progress.stale)
        state.write(self._run.job.state)

    def _fit(self, control: ControlCallback, display: Display) -> None:
        """Runs the fit loop, without any step if only the last evaluation is missing."""
        run = self._run
        save = SaveCheckpoints(
            run.store,
            self._results,
            {**run.identity, "config": run.config.to_mapping()},
            control,
            to_file=self._to_file,
            after=self.note_state,
            console=run.console,
        )
        board = Board(run.summary_dir, control, run.console, config=run.config, name=str(run.job))
        projector = Projector(run.summary_dir / "train", control, self._to_file, run.console)
        callbacks = [control, board, projector, save, display, *run.callbacks]
        if control.prepare().end:
            around = keras.callbacks.CallbackList(callbacks, model=self.model)
            around.on_train_begin()
            around.on_train_end()
        else:
            # One Keras epoch is the whole run: a job resumes in the middle of the text's epochs, which `progress` counts.
            self.model.fit(self._windows, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)

    def _restore_results(self, checkpoint: Checkpoint | None) -> Results:
        """The results so far, without those newer than the checkpoint; restores a lost model file."""
        run, progress = self._run, self.progress
        results = Results(run.job)
        state = JobState.find(run.job.state)
        if state is None:
            was_killed = checkpoint is not None
        else:
            was_killed = state.status == "running" or state.steps != progress.step
        results.restore({} if checkpoint is None else checkpoint.facts.get("results", {}), cut=was_killed)
        results.restore_model(run.store, progress, self._to_best_file, run.console)
        return results

    def _to_best_file(self, tensors: Mapping[str, np.ndarray], step: int, loss: float) -> ModelFile:
        return self._to_file(tensors, step, self._run.validator.scores(loss))

    def _to_file(self, tensors: Mapping[str, np.ndarray], step: int, scores: Scores | None) -> ModelFile:
        run = self._run
        return to_model_file(
            tensors,
            run.config,
            run.corpus.vocabulary,
            data_sha256=run.corpus.sha256,
            step=step,
            scores=scores,
            after_white_space=run.after_white_space,
            unwrapped=run.corpus.unwrapped,
            started_from=run.identity["started_from"],
        )


def _diverged(progress: Progress) -> DivergedError:
    """The error for a loss, a gradient or a weight that is not finite."""
    again = (
        f" with a learning rate of {progress.learning_rate:.3g}, halved {progress.rollbacks} times"
        if progress.rollbacks
        else ""
    )
    return DivergedError(
        f"training diverged at step {progress.step}{again}: the loss, the gradient or a weight is no longer finite; "
        f"lower {named('learning_rate')}, {named('weight_decay')} or {named('clip_gradients')} and run again to resume from the last checkpoint"
    )


def compile_model(
    config: TrainingConfig, vocabulary_size: int, counts: np.ndarray | None = None, replicas: Replicas | None = None
) -> LanguageModel:
    """Builds the model of a config with its optimizer, ready to fit.

    Args:
        config: the settings.
        vocabulary_size: the number of ids.
        counts: as for `build_model`.
        replicas: the replicas that share the batch; None for one.
    """
    replicas = replicas or Replicas()
    with replicas.scope():
        model = build_model(config, vocabulary_size, counts=counts, streams=config.batch_size // replicas.count)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # XLA takes minutes to compile the whole training step, and then runs it more slowly on a CPU.
        model.compile(make_optimizer(config), loss, jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    return model
