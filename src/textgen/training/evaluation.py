"""Evaluates on the grid of steps: scores, the best model's export, a sample, a line of metrics.

The grid is fixed, epoch ends (of short texts every few) and every `eval_steps`, so that a run that was interrupted scores the same steps as one that
was not; the last step of a finished job belongs to it too.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.corpus import Vocabulary
from textgen.errors import from_os_error
from textgen.evaluation import Scores
from textgen.generation import ModelFile, TextGenerator, write_model
from textgen.generation.model_file import overflows
from textgen.jobs import JobDirectory, append_metrics
from textgen.model import LanguageModel
from textgen.training.export import score_values, to_model_file
from textgen.training.limits import diverged
from textgen.training.progress import Progress
from textgen.training.validation import Validator

SAMPLE_TEMPERATURE = 0.8
_LEAST_STEPS_APART = 100
"""Between two epoch ends that are evaluated: a short text would be scored more than it is learned."""


class Evaluator(keras.callbacks.Callback):
    """Evaluates when a step of the grid is reached.

    Args:
        config: the settings.
        vocabulary: of the text.
        data_sha256: identifies the text.
        job: where the results go.
        progress: where training stands.
        validator: scores the validation text.
        console: shows them.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        vocabulary: Vocabulary,
        data_sha256: str,
        job: JobDirectory,
        progress: Progress,
        validator: Validator,
        console: Console,
    ) -> None:
        super().__init__()
        self._config = config
        self._vocabulary = vocabulary
        self._data_sha256 = data_sha256
        self._job = job
        self._progress = progress
        self._validator = validator
        self._console = console

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Evaluates if the step is due."""
        del batch, logs
        if self._is_due:
            self._evaluate()

    @property
    def _is_due(self) -> bool:
        """Whether the step just made belongs to the grid."""
        progress, every = self._progress, self._config.eval_steps
        epochs_apart = -(-_LEAST_STEPS_APART // progress.steps_per_epoch)
        ends_epoch = progress.epoch_step == 0 and progress.epoch % epochs_apart == 0
        on_grid = ends_epoch or (every is not None and progress.epoch_step % every == 0)
        return on_grid or progress.status == "finished"

    def _evaluate(self) -> None:
        """Scores the model, keeps it if it is the best, writes a sample and a line of metrics.

        Raises:
            DivergedError: when the loss or a weight is no finite number; nothing is written.
        """
        progress = self._progress
        with self._console.busy("evaluating"):
            scores = self._validator(self.model)
        if not math.isfinite(scores.loss):
            raise diverged(progress)
        model = self.model_file(scores)
        progress.scores = scores
        if progress.best_loss is None or scores.loss < progress.best_loss:
            progress.best_loss, progress.best_step = scores.loss, progress.step
            write_model(self._job.model, model)
        append_metrics(self._job.metrics, metrics_record(progress))
        if self._config.sample_length:
            progress.sample = self._write_sample(model, scores)

    def model_file(self, scores: Scores | None) -> ModelFile:
        """The model's present weights as a model file.

        Raises:
            DivergedError: when a weight is no number, or near to that.
        """
        model: LanguageModel = self.model
        file = to_model_file(
            model,
            self._config,
            self._vocabulary,
            data_sha256=self._data_sha256,
            step=self._progress.step,
            scores=scores,
        )
        if any(map(overflows, file.tensors.values())):
            raise diverged(self._progress)
        return file

    def _write_sample(self, model: ModelFile, scores: Scores) -> str:
        """Lets the present weights write, and adds the text to the job's samples."""
        generator = TextGenerator(model)
        pieces = generator.generate(
            length=self._config.sample_length, temperature=SAMPLE_TEMPERATURE, seed=self._config.seed
        )
        text = "".join(pieces).strip("\n")
        heading = f"step {self._progress.step}, epoch {self._progress.epochs:.2f}, {scores}"
        try:
            with self._job.samples.open("a", encoding="utf-8") as file:
                file.write(f"--- {heading}\n{text}\n\n")
        except OSError as error:
            raise from_os_error(error, f"cannot write {self._job.samples}") from error
        return text


def metrics_record(progress: Progress) -> dict[str, Any]:
    """What metrics.jsonl and `--json` say of a step that was evaluated."""
    assert progress.scores is not None, "only an evaluated step has scores"  # noqa: S101 - our own mistake
    return {
        "steps": progress.step,
        "epochs": round(progress.epochs, 4),
        "train_loss": progress.train_loss,
        **score_values(progress.scores),
        "learning_rate": progress.learning_rate,
        "tokens_per_second": round(progress.tokens_per_second, 1),
        "seconds": round(progress.seconds, 2),
    }
