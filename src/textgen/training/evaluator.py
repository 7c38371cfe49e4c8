"""Evaluates the model on a fixed grid of steps: validation scores, the best model, a sample and a line of metrics.

The grid is the ends of epochs (every few epochs for a short text), every `eval_steps`, and the last step of a finished
job. Because it is fixed, an interrupted run evaluates the same steps as an uninterrupted one. A signal ends an evaluation
early, and the next run starts with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textgen.console import Console
from textgen.evaluation import Scores
from textgen.generation import ModelFile, TextGenerator
from textgen.generation.model_file import overflows
from textgen.planning import Plan, epochs_between_evaluations
from textgen.signals import Interrupted, Signals
from textgen.training.capture import capture_model
from textgen.training.conversion import score_values
from textgen.training.limits import diverged
from textgen.training.progress import Progress
from textgen.training.results import Results
from textgen.training.validator import Validator


class Evaluator(keras.callbacks.Callback):
    """Evaluates the model at each step of the grid; the results are collected, and written by `SaveCheckpoints`.

    Args:
        plan: the settings and the job's limits.
        to_file: builds a model file from the model's tensors, the step and its scores.
        results: collects the files to write.
        progress: the progress so far.
        validator: evaluates the validation text.
        signals: a noted signal ends an evaluation early.
        console: shows that an evaluation is running.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        to_file: Callable[[Mapping[str, np.ndarray], int, Scores | None], ModelFile],
        results: Results,
        progress: Progress,
        validator: Validator,
        signals: Signals,
        console: Console,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._config = plan.config
        self._to_file = to_file
        self._results = results
        self._progress = progress
        self._validator = validator
        self._signals = signals
        self._console = console

    def on_train_begin(self, logs: Any = None) -> None:
        """Evaluates if an earlier run was stopped before its evaluation."""
        del logs
        if self.is_due:
            self._evaluate()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Evaluates if an evaluation is due."""
        del batch, logs
        if self.is_due:
            self._evaluate()

    @property
    def is_due(self) -> bool:
        """Whether the last step is on the grid and has no scores yet."""
        progress, every = self._progress, self._config.eval_steps
        if progress.step in {0, progress.scored_step}:
            return False
        epochs_apart = epochs_between_evaluations(progress.steps_per_epoch, progress.tokens_per_step)
        ends_epoch = progress.epoch_step == 0 and progress.epoch % epochs_apart == 0
        on_grid = ends_epoch or (every is not None and progress.epoch_step % every == 0)
        return on_grid or progress.status == "finished"

    def _evaluate(self) -> None:
        """Evaluates the model, generates a sample and records the best model; stops early after a signal.

        Raises:
            DivergedError: if the loss or a weight is not finite; nothing is recorded.
        """
        progress = self._progress
        try:
            with self._console.busy("evaluating"):
                scores = self._validator(self.model, self._signals.check)
                if not math.isfinite(scores.loss):
                    raise diverged(progress)
                model = self.model_file(scores)
                sample = self._sample(model)
        except Interrupted:
            progress.status = "stopped"
            self.model.stop_training = True
            return
        progress.scores, progress.scored_step, progress.sample = scores, progress.step, sample
        if progress.best_loss is None or scores.loss < progress.best_loss:
            progress.best_loss, progress.best_step, progress.stale = scores.loss, progress.step, 0
            progress.best_train_loss = progress.train_loss
            self._results.add_model(model)
        else:
            progress.stale += 1
        self._results.add_metrics(metrics_record(progress))
        if sample:
            self._results.add_sample(f"step {progress.step}, epoch {progress.epochs:.2f}, {scores}", sample)
        if self._plan.is_stale(progress.stale) and progress.status == "running":
            progress.status = "finished"
            self.model.stop_training = True

    def model_file(self, scores: Scores | None) -> ModelFile:
        """Returns the model's current weights as a model file.

        Raises:
            DivergedError: if a weight is not finite, or so large that sampling would overflow.
        """
        file = self._to_file(capture_model(self.model), self._progress.step, scores)
        if any(map(overflows, file.tensors.values())):
            raise diverged(self._progress)
        return file

    def _sample(self, model: ModelFile) -> str:
        """Generates a sample with the current weights."""
        config = self._config
        if not config.sample_length:
            return ""
        pieces = [config.sample_prompt]
        for piece in TextGenerator(model).generate(
            config.sample_prompt,
            length=config.sample_length,
            temperature=config.sample_temperature,
            seed=config.seed,
            oov="skip",
        ):
            self._signals.check()
            pieces.append(piece)
        return "".join(pieces).strip("\n")


def metrics_record(progress: Progress) -> dict[str, Any]:
    """Returns the record of an evaluated step for metrics.jsonl and `--json`."""
    assert progress.scores is not None, "only an evaluated step has scores"  # noqa: S101 - our own mistake
    return {
        "steps": progress.step,
        "epochs": round(progress.epochs, 4),
        "train_loss": progress.train_loss,
        **score_values(progress.scores),
        "learning_rate": progress.learning_rate,
        "tokens_per_second": round(progress.tokens_per_second, 1) or None,
        "seconds": round(progress.seconds, 2),
    }
