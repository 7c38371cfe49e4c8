"""The learning rate at each step, a function of the step and of the total number of steps.

Where minutes limit the job, the total is an estimate, made once from the speed of the first steps and then kept in every
checkpoint: only the end follows the clock.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from textgen.config import TrainingConfig
from textgen.planning import Plan
from textgen.training.pace import next_steps
from textgen.training.progress import Progress

_WARM_UP_STEPS = 100
_LAST_RATE = 0.03
_TIMED_STEPS = 20
_TIMED_SHARE = 0.05
"""Of the time that is left when a process begins: by then the cosine has hardly moved."""


def learning_rate(config: TrainingConfig, step: int, total_steps: int | None) -> float:
    """The learning rate of a step.

    With `lr_decay_steps` the original's staircase, `learning_rate * lr_decay_rate ** (step // lr_decay_steps)`. Without,
    a linear warm-up and then half a cosine down to 3% at the last step (Loshchilov and Hutter 2017, without restarts).

    Args:
        config: the settings.
        step: updates made before.
        total_steps: of the job; None while it is not known, which counts as far away.
    """
    if config.lr_decay_steps is not None:
        return config.learning_rate * float(config.lr_decay_rate ** (step // config.lr_decay_steps))
    total = total_steps or math.inf
    warm_up = min(1.0, (step + 1) / min(_WARM_UP_STEPS, max(1.0, total / 10)))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))
    return config.learning_rate * warm_up * (_LAST_RATE + (1 - _LAST_RATE) * cosine)


class LearningRate(keras.callbacks.Callback):
    """Says before each call how many steps it makes and at which rates, halved for each rollback; finds out the total of steps.

    Args:
        plan: the settings, and the limits of the job.
        progress: where training stands; `total_steps` and `learning_rate` are set.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__()
        self._plan = plan
        self._progress = progress
        self._limit = plan.total_steps(
            epochs=progress.epochs, steps=progress.step, steps_per_epoch=progress.steps_per_epoch
        )
        self._guess = self._guess_total()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the rates of the steps that come now."""
        del batch, logs
        progress, config = self._progress, self._plan.config
        total_steps = progress.total_steps or self._guess or self._limit
        halved = 0.5**progress.rollbacks
        steps = range(progress.step, progress.step + next_steps(progress, config))
        self.model.next_rates = [halved * learning_rate(config, step, total_steps) for step in steps]
        progress.learning_rate = self.model.next_rates[-1]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Estimates the total once the speed is known well enough."""
        del batch, logs
        progress, limit = self._progress, self._plan.config.time_limit
        if progress.total_steps is not None or limit is None:
            return
        left = max(0.0, limit * 60 - progress.seconds)
        if progress.run_steps >= _TIMED_STEPS and progress.run_seconds >= _TIMED_SHARE * (left + progress.run_seconds):
            progress.total_steps = self._within_limit(progress.step + left * progress.run_steps / progress.run_seconds)

    def _guess_total(self) -> int | None:
        """The total at the mean speed of a job that goes on with new limits; None early in a job, or where minutes are no limit."""
        progress, limit = self._progress, self._plan.config.time_limit
        if limit is None or progress.seconds < _TIMED_SHARE * limit * 60:
            return None
        return self._within_limit(progress.step * max(1.0, limit * 60 / progress.seconds))

    def _within_limit(self, steps: float) -> int:
        return min(round(steps), self._limit or round(steps))
