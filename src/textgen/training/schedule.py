"""The learning-rate schedule: a function of the step and the total number of steps.

If minutes limit the job, the total is estimated once from the speed of the first steps and stored in every checkpoint.
Only the end of the job follows the clock.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from textgen.config import TrainingConfig
from textgen.planning import Plan
from textgen.training.progress import Progress
from textgen.training.steps_per_call import next_steps

_WARM_UP_STEPS = 100
_LAST_RATE = 0.03
_TIMED_STEPS = 20
_TIMED_SHARE = 0.05
"""The share of the remaining time after which the total is estimated; by then the cosine has hardly moved."""


def learning_rate(config: TrainingConfig, step: int, total_steps: int | None) -> float:
    """Returns the learning rate of a step.

    With `lr_decay_steps`, it decays in steps: `learning_rate * lr_decay_rate ** (step // lr_decay_steps)`. Otherwise it
    follows a linear warm-up and then half a cosine, down to 3% at the last step (Loshchilov and Hutter 2017, SGDR,
    without restarts).

    Args:
        config: the settings.
        step: the number of updates made before.
        total_steps: the total of the job; None while it is unknown, which is treated as infinity.
    """
    if config.lr_decay_steps is not None:
        return config.learning_rate * float(config.lr_decay_rate ** (step // config.lr_decay_steps))
    total = total_steps or math.inf
    warm_up = min(1.0, (step + 1) / min(_WARM_UP_STEPS, max(1.0, total / 10)))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))
    return config.learning_rate * warm_up * (_LAST_RATE + (1 - _LAST_RATE) * cosine)


class LearningRate(keras.callbacks.Callback):
    """Sets the number of steps and their learning rates before each call, and estimates the total of steps.

    Each rollback halves the rates.

    Args:
        plan: the settings and the limits of the job.
        progress: the progress so far; `total_steps` and `learning_rate` are set.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__()
        self._plan = plan
        self._progress = progress
        self._limit = plan.total_steps(
            epochs=progress.epochs, steps=progress.step, steps_per_epoch=progress.steps_per_epoch
        )
        limit = plan.config.time_limit
        known = limit is not None and progress.seconds >= _TIMED_SHARE * limit * 60
        self._guess = self._total_at(progress.step, progress.seconds) if known else None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the rates of the next steps."""
        del batch, logs
        progress, config = self._progress, self._plan.config
        total_steps = progress.total_steps or self._guess or self._limit
        halved = 0.5**progress.rollbacks
        steps = range(progress.step, progress.step + next_steps(progress, config))
        self.model.next_rates = [halved * learning_rate(config, step, total_steps) for step in steps]
        progress.learning_rate = self.model.next_rates[-1]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Estimates the total once the speed is known."""
        del batch, logs
        progress, run_seconds = self._progress, self._progress.run_seconds
        if progress.total_steps is not None or self._plan.config.time_limit is None:
            return
        if progress.run_steps >= _TIMED_STEPS and run_seconds >= _TIMED_SHARE * (self._seconds_left() + run_seconds):
            progress.total_steps = self._total_at(progress.run_steps, run_seconds)

    def _total_at(self, steps: int, seconds: float) -> int:
        """The total of a job limited by minutes, if it continues at this speed."""
        total = self._progress.step + round(self._seconds_left() * steps / seconds)
        return min(total, self._limit or total)

    def _seconds_left(self) -> float:
        """The remaining time of a job limited by minutes."""
        return max(0.0, (self._plan.config.time_limit or 0.0) * 60 - self._progress.seconds)
