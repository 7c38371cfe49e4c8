"""The progress of a job, as its checkpoints store it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from textgen.evaluation.scores import NOISE, Scores

REPORT_STEPS = 10
"""Losses and norms are averaged over this many steps before they are shown or written."""

_TOTALS = (
    "step",
    "epoch",
    "epoch_step",
    "seconds",
    "total_steps",
    "total_corrected",
    "dropout",
    "learning_rate",
    "rate_before",
    "rollbacks",
    "scored_step",
    "best_loss",
    "best_step",
    "best_train_loss",
    "stale",
)
_AVERAGES = ("window_steps", "window_loss", "gradient_norm", "loss_sum", "loss_steps")


@dataclass
class Progress:
    """The totals of a job, and the running averages since its last evaluation.

    Attributes:
        steps_per_epoch: the steps in one pass over the training text.
        tokens_per_step: the training tokens in one step.
        characters_per_token: the average over the training text.
        unknown_share: the share of the training tokens that are `[UNK]`.
        step: the updates made.
        epoch: the completed passes over the text.
        epoch_step: the updates made since the epoch started.
        seconds: the time spent training, without evaluation and saving.
        total_steps: the estimated total of updates of a job limited by minutes; None until it is estimated.
        total_corrected: whether that estimate has been corrected.
        dropout: the dropout of the next step; None before the first.
        learning_rate: the learning rate of the last step.
        rate_before: the lowest learning rate at which the limits or the streams of the job changed; None if they never did.
        rollbacks: how often the job has returned to a checkpoint after it diverged.
        scored_step: the last step that was evaluated.
        best_loss: the lowest validation loss so far, in nats per token.
        best_step: the step of `best_loss`.
        best_train_loss: the training loss before `best_step`, in nats per token.
        stale: the number of evaluations since `best_step`, without those at a higher learning rate than `rate_before`.
        status: `stopped` or `finished` when training ends with this step.
        has_diverged: whether the loss, a gradient or a weight is no longer a finite number.
        scores: the validation scores, if this step was evaluated.
        sample: the text generated after this step, if it was evaluated.
        run_steps: the updates made by this process, without the first call, in which TensorFlow traces the model; -1
            before that call.
        run_seconds: how long `run_steps` took.
        window_steps: the updates in the current report window.
        window_loss: their mean loss, in nats per token.
        gradient_norm: the mean norm of their gradients, before clipping.
        loss_sum: the sum of the losses over the report windows since the last evaluation.
        loss_steps: the number of steps in `loss_sum`.
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
    total_corrected: bool = False
    dropout: float | None = None
    learning_rate: float = 0.0
    rate_before: float | None = None
    rollbacks: int = 0
    scored_step: int | None = None
    best_loss: float | None = None
    best_step: int | None = None
    best_train_loss: float | None = None
    stale: int = 0
    status: Literal["running", "stopped", "finished"] = "running"
    has_diverged: bool = False
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
        """Passes over the text, including the fraction of the current one."""
        return self.epoch + self.epoch_step / self.steps_per_epoch

    @property
    def minutes(self) -> float:
        """Minutes spent training."""
        return self.seconds / 60

    @property
    def tokens_per_second(self) -> float:
        """Training speed of this process; 0 before the first step."""
        return self.run_steps * self.tokens_per_step / self.run_seconds if self.run_seconds else 0.0

    @property
    def train_loss(self) -> float | None:
        """Mean nats per token since the last evaluation; None if there was no step since."""
        steps = self.loss_steps + self.window_steps
        return (self.loss_sum + self.window_loss * self.window_steps) / steps if steps else None

    @property
    def window_scores(self) -> Scores:
        """Scores of the training text over the current report window."""
        return Scores(self.window_loss, 1, self.characters_per_token, self.unknown_share)

    def state(self) -> dict[str, Any]:
        """Returns the state to store in a checkpoint, as JSON values."""
        values = {name: getattr(self, name) for name in (*_TOTALS, *_AVERAGES)}
        return values if self.scores is None else {**values, **dict.fromkeys(_AVERAGES, 0)}

    def forget_best(self) -> None:
        """Clears the best step, so that the next evaluation becomes the best."""
        self.best_loss = self.best_step = self.best_train_loss = None
        self.stale = 0

    def forget_total(self) -> None:
        """Clears the estimated total of steps, and the dropout that depends on it, because limits or streams have changed.

        The learning rate may then rise, and the loss with it. Until the rate is as low as it was, `stale` does not count.
        """
        self.total_steps = self.dropout = None
        self.total_corrected = False
        self.rate_before = min(self.learning_rate, math.inf if self.rate_before is None else self.rate_before)

    @property
    def overfits(self) -> bool:
        """Whether the validation loss of this step is higher than that of the best one, but the training loss lower."""
        if self.scores is None or self.best_loss is None or self.scores.loss < self.best_loss + NOISE:
            return False
        train_loss, before = self.train_loss, self.best_train_loss
        return train_loss is None or before is None or train_loss < before

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state from a checkpoint; values that it lacks are left unchanged."""
        for name in (*_TOTALS, *_AVERAGES):
            setattr(self, name, state.get(name, getattr(self, name)))

    @property
    def window_ends(self) -> bool:
        """Whether the report window ends with this step, because it is full or the step was evaluated."""
        return self.window_steps == REPORT_STEPS or self.scores is not None

    def start_call(self, *, learning_rate: float, dropout: float) -> None:
        """Closes a report window that ends here, before the next call of steps.

        Args:
            learning_rate: the rate of the last step of the call.
            dropout: the dropout of its steps.
        """
        self.learning_rate, self.dropout = learning_rate, dropout
        if self.scores is not None:
            self.scores = None
            self.loss_sum, self.loss_steps, self.window_steps = 0.0, 0, 0
        elif self.window_ends:
            self.loss_sum += self.window_loss * self.window_steps
            self.loss_steps += self.window_steps
            self.window_steps = 0

    def add_call(self, steps: int, *, loss: float, gradient_norm: float, seconds: float) -> None:
        """Adds a call of steps.

        Args:
            steps: the number of steps, which do not go beyond the end of an epoch.
            loss: the mean loss in the report window, in nats per token.
            gradient_norm: the mean norm of the gradients there.
            seconds: how long the call took.
        """
        self.window_loss, self.gradient_norm = loss, gradient_norm
        self.has_diverged = not (math.isfinite(loss) and math.isfinite(gradient_norm))
        self.seconds += seconds
        if self.run_steps < 0:
            self.run_steps = 0
        else:
            self.run_steps += steps
            self.run_seconds += seconds
        self.step += steps
        self.epoch_step += steps
        if self.epoch_step == self.steps_per_epoch:
            self.epoch, self.epoch_step = self.epoch + 1, 0
        self.window_steps += steps

    def add_scores(self, scores: Scores, sample: str) -> bool:
        """Adds the evaluation of this step.

        Args:
            scores: the validation scores.
            sample: the text generated after this step.

        Returns:
            Whether this step is the best so far.
        """
        self.scores, self.scored_step, self.sample = scores, self.step, sample
        if self.best_loss is not None and scores.loss >= self.best_loss:
            if self.rate_before is None or self.learning_rate <= self.rate_before:
                self.stale += 1
            return False
        self.best_loss, self.best_step, self.stale = scores.loss, self.step, 0
        self.best_train_loss = self.train_loss
        return True
