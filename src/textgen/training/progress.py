"""Where training stands: counted by the first callback, read by all others, kept in every checkpoint."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from textgen.evaluation import Scores

REPORT_STEPS = 10
"""Losses and norms are averaged over this many steps before they are shown or written."""

_KEPT = (
    "step",
    "epoch",
    "epoch_step",
    "seconds",
    "total_steps",
    "learning_rate",
    "rollbacks",
    "scored_step",
    "best_loss",
    "best_step",
    "stale",
)
_AVERAGES = ("window_steps", "window_loss", "gradient_norm", "loss_sum", "loss_steps")


@dataclass
class Progress:
    """The totals of a job and the averages since its last evaluation.

    Attributes:
        steps_per_epoch: of the training text.
        tokens_per_step: learned from in one step.
        characters_per_token: of the training text.
        unknown_share: the share of its tokens that are [UNK].
        step: updates made.
        epoch: whole passes over the text.
        epoch_step: updates since the epoch began.
        seconds: of training, evaluation and saving not counted.
        total_steps: updates that a job limited by minutes will make, as estimated once; None until then.
        learning_rate: of the last step.
        rollbacks: how often the job has gone back to a checkpoint after its loss was no longer a number.
        scored_step: the last step that was evaluated.
        best_loss: the lowest validation loss so far.
        best_step: its step.
        stale: scorings since then.
        status: `stopped` or `finished` when training ends with this step.
        scores: of the validation text, when this step was evaluated.
        sample: what the model wrote then.
        run_steps: updates made by this process, without the first call, in which TensorFlow traces the model; -1 before it.
        run_seconds: how long they took.
        window_steps: updates in the present report window.
        window_loss: their mean loss.
        gradient_norm: the mean norm of their gradients, before clipping.
        loss_sum: the losses of the report windows since the last evaluation, added up.
        loss_steps: how many they are.
    """

    steps_per_epoch: int
    tokens_per_step: int
    characters_per_token: float = 1.0
    unknown_share: float = 0.0
    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    seconds: float = 0.0
    total_steps: int | None = None
    learning_rate: float = 0.0
    rollbacks: int = 0
    scored_step: int | None = None
    best_loss: float | None = None
    best_step: int | None = None
    stale: int = 0
    status: Literal["running", "stopped", "finished"] = "running"
    scores: Scores | None = None
    sample: str = ""
    run_steps: int = -1
    run_seconds: float = 0.0
    window_steps: int = 0
    window_loss: float = 0.0
    gradient_norm: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0

    @property
    def epochs(self) -> float:
        """Passes over the text, with the part of the present one."""
        return self.epoch + self.epoch_step / self.steps_per_epoch

    @property
    def minutes(self) -> float:
        """Of training."""
        return self.seconds / 60

    @property
    def tokens_per_second(self) -> float:
        """Over this process' run."""
        return self.run_steps * self.tokens_per_step / self.run_seconds if self.run_seconds else 0.0

    @property
    def train_loss(self) -> float | None:
        """Mean nats per token since the last evaluation; None when there was no step."""
        steps = self.loss_steps + self.window_steps
        return (self.loss_sum + self.window_loss * self.window_steps) / steps if steps else None

    @property
    def window_scores(self) -> Scores:
        """Of the training text, over the present report window."""
        return Scores(self.window_loss, 1, self.characters_per_token, self.unknown_share)

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON values."""
        values = {name: getattr(self, name) for name in (*_KEPT, *_AVERAGES)}
        return values if self.scores is None else {**values, **dict.fromkeys(_AVERAGES, 0)}

    def forget_best(self) -> None:
        """Begins the search for the best model anew."""
        self.best_loss = self.best_step = None
        self.stale = 0

    def take_over(self, kept: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint kept; what it lacks stays as it is."""
        for name in (*_KEPT, *_AVERAGES):
            setattr(self, name, kept.get(name, getattr(self, name)))

    @property
    def reports(self) -> bool:
        """Whether a report window ends with this step."""
        return self.window_steps == REPORT_STEPS


class Tracker(keras.callbacks.Callback):
    """Counts steps, epochs and the time spent training; stands first in the list of callbacks.

    Keras' metrics are running means; they begin anew with every report window, and after an evaluation. When a job goes
    on within a window they go on too, though `fit` resets them after its first callbacks.

    Args:
        progress: what to keep up to date.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress
        self._began = 0.0
        self._accumulated: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Looks at the metrics before `fit` resets them."""
        del logs
        self._accumulated = [np.array(variable.numpy()) for variable in self._accumulators]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Puts them back."""
        del epoch, logs
        for variable, value in zip(self._accumulators, self._accumulated, strict=True):
            variable.assign(value)

    @property
    def _accumulators(self) -> list[Any]:
        return [variable for metric in self.model.metrics for variable in metric.variables]

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Closes a full report window and starts the clock."""
        del batch, logs
        progress = self.progress
        if progress.scores is not None:
            progress.scores = None
            progress.loss_sum, progress.loss_steps, progress.window_steps = 0.0, 0, 0
        elif progress.reports:
            progress.loss_sum += progress.window_loss * progress.window_steps
            progress.loss_steps += progress.window_steps
            progress.window_steps = 0
        if progress.window_steps == 0:
            self.model.reset_metrics()
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the steps of this call."""
        del batch
        logs = logs or {}
        progress, steps = self.progress, len(self.model.next_rates)
        progress.window_loss = float(logs["loss"])  # waits for TensorFlow
        progress.gradient_norm = float(logs["gradient_norm"])
        elapsed = time.monotonic() - self._began
        progress.seconds += elapsed
        if progress.run_steps < 0:
            progress.run_steps = 0
        else:
            progress.run_steps += steps
            progress.run_seconds += elapsed
        progress.step += steps
        progress.epoch_step += steps
        if progress.epoch_step == progress.steps_per_epoch:
            progress.epoch, progress.epoch_step = progress.epoch + 1, 0
        progress.window_steps += steps
