"""Evaluates the model in training: validation scores, the best model, a sample and a line of metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.evaluation import Scores
from textgen.generation import ModelFile, TextGenerator
from textgen.generation.model_file import overflows
from textgen.model import LanguageModel
from textgen.signals import Interrupted, Signals
from textgen.training.capture import capture_model
from textgen.training.conversion import score_values
from textgen.training.progress import Progress
from textgen.training.results import Results
from textgen.training.validator import Validator


class Evaluator:
    """Evaluates the model; the results are collected, and written by `SaveCheckpoints`.

    Args:
        config: the settings.
        to_file: builds a model file from the model's tensors, the step and its scores.
        results: collects the files to write.
        progress: the progress so far, to which the scores are added.
        validator: evaluates the validation text.
        valid_sha256: the hash of that text.
        machine: the machine and the programs that train; see `describe_machine`.
        signals: a noted signal ends an evaluation early.
        console: shows that an evaluation is running.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        to_file: Callable[[Mapping[str, np.ndarray], int, Scores | None], ModelFile],
        results: Results,
        progress: Progress,
        validator: Validator,
        valid_sha256: str,
        machine: str,
        signals: Signals,
        console: Console,
    ) -> None:
        self._config = config
        self._to_file = to_file
        self._results = results
        self._progress = progress
        self._validator = validator
        self._valid_sha256 = valid_sha256
        self._machine = machine
        self._signals = signals
        self._console = console

    def __call__(self, model: LanguageModel) -> None:
        """Evaluates a model, generates a sample and records the best model.

        Nothing is recorded if a signal arrives, the loss or a weight is not finite, or a weight is so large that sampling would
        overflow.
        """
        progress = self._progress
        try:
            with self._console.busy("evaluating"):
                scores = self._validator(model, self._signals.check)
                file = self._to_file(capture_model(model), progress.step, scores)
                if not math.isfinite(scores.loss) or any(map(overflows, file.tensors.values())):
                    progress.has_diverged = True
                    return
                sample = self._sample(file)
        except Interrupted:
            return
        if progress.add_scores(scores, sample):
            self._results.add_model(file)
        self._results.add_metrics(metrics_record(progress, self._valid_sha256, self._machine))
        if sample:
            self._results.add_sample(f"step {progress.step}, epoch {progress.epochs:.2f}, {scores}", sample)

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


def metrics_record(progress: Progress, valid_sha256: str, machine: str) -> dict[str, Any]:
    """Returns the record of an evaluated step for metrics.jsonl and `--json`.

    Args:
        progress: the progress at this step.
        valid_sha256: the hash of the validation text, which shows whether two jobs can be compared.
        machine: the machine and the programs that train; see `describe_machine`.
    """
    assert progress.scores is not None, "only an evaluated step has scores"  # noqa: S101 - our own mistake
    return {
        "steps": progress.step,
        "epochs": round(progress.epochs, 4),
        "train_loss": progress.train_loss,
        **score_values(progress.scores),
        "valid_sha256": valid_sha256,
        "learning_rate": progress.learning_rate,
        "gradient_norm": progress.gradient_norm,
        "tokens_per_second": round(progress.tokens_per_second, 1) or None,
        "seconds": round(progress.seconds, 2),
        "machine": machine,
    }
