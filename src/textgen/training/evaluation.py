"""Evaluates on the grid of steps: scores, the best model, a sample, a line of metrics; writes nothing itself.

The grid is fixed, epoch ends (of short texts every few) and every `eval_steps`, so that a run that was interrupted scores the same steps as one that
was not; the last step of a finished job belongs to it too. A signal cuts an evaluation short, and the next run begins with it.
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
from textgen.planning import Plan
from textgen.signals import Interrupted, Signals
from textgen.training.export import score_values
from textgen.training.limits import diverged
from textgen.training.progress import Progress
from textgen.training.results import Results
from textgen.training.state import capture_model
from textgen.training.validation import Validator

SAMPLE_TEMPERATURE = 0.8
_LEAST_STEPS_APART = 100
"""Between two epoch ends that are evaluated: a short text would be scored more than it is learned."""


class Evaluator(keras.callbacks.Callback):
    """Evaluates when a step of the grid is reached.

    Args:
        plan: the settings, and what ends the job.
        to_file: makes a model file of the model's tensors, the step and its scores.
        results: gets what is to be written.
        progress: where training stands.
        validator: scores the validation text.
        signals: those received.
        console: shows that it takes a while.
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
        """Evaluates if an earlier run was stopped before it could."""
        del logs
        if self.is_due:
            self._evaluate()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Evaluates if the step is due."""
        del batch, logs
        if self.is_due:
            self._evaluate()

    @property
    def is_due(self) -> bool:
        """Whether the last step belongs to the grid and has no scores yet."""
        progress, every = self._progress, self._config.eval_steps
        if progress.step in {0, progress.scored_step}:
            return False
        epochs_apart = -(-_LEAST_STEPS_APART // progress.steps_per_epoch)
        ends_epoch = progress.epoch_step == 0 and progress.epoch % epochs_apart == 0
        on_grid = ends_epoch or (every is not None and progress.epoch_step % every == 0)
        return on_grid or progress.status == "finished"

    def _evaluate(self) -> None:
        """Scores the model, lets it write a sample, and notes whether it is the best; or stops, when a signal is there.

        Raises:
            DivergedError: when the loss or a weight is no finite number; nothing is noted.
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
        """The model's present weights as a model file.

        Raises:
            DivergedError: when a weight is no number, or near to that.
        """
        file = self._to_file(capture_model(self.model), self._progress.step, scores)
        if any(map(overflows, file.tensors.values())):
            raise diverged(self._progress)
        return file

    def _sample(self, model: ModelFile) -> str:
        """What the present weights write."""
        if not self._config.sample_length:
            return ""
        pieces = []
        generator = TextGenerator(model)
        for piece in generator.generate(
            length=self._config.sample_length, temperature=SAMPLE_TEMPERATURE, seed=self._config.seed
        ):
            self._signals.check()
            pieces.append(piece)
        return "".join(pieces).strip("\n")


def metrics_record(progress: Progress) -> dict[str, Any]:
    """What metrics.jsonl and `--json` say of a step that was evaluated."""
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
