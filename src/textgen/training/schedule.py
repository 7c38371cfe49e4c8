"""The schedule of the learning rate and of dropout, as functions of the step and of the total number of steps.

If minutes limit the job, the total is estimated from the speed of the first steps, corrected once, and stored in every checkpoint.
Only the end of the job follows the clock.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from textgen.config import TrainingConfig
from textgen.planning import DeviceKind, Plan, dropout, expected_passes
from textgen.training.progress import Progress
from textgen.training.steps_per_call import next_steps

_WARM_UP_STEPS = 100
_LAST_RATE = 0.03
_TIMED_STEPS = 20
_TIMED_SHARE = 0.05
"""The share of the remaining time after which the total is estimated; by then the cosine has hardly moved."""
_CORRECTED_SHARE = 0.3
"""The share after which the total is corrected, because the first seconds are often slower or faster than the rest."""


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


class Schedule(keras.callbacks.Callback):
    """Sets the number of steps, their learning rates and their dropout before each call, and estimates the total of steps.

    Each rollback halves the rates. Dropout follows the number of passes over the text unless the config has a value.

    Args:
        plan: the settings and the limits of the job.
        progress: the progress so far; `total_steps`, `total_corrected`, `learning_rate` and `dropout` are set.
        device: the kind of device that trains.
    """

    def __init__(self, plan: Plan, progress: Progress, device: DeviceKind) -> None:
        super().__init__()
        self._plan = plan
        self._progress = progress
        self._device: DeviceKind = device
        self._limit = plan.total_steps(
            epochs=progress.epochs, steps=progress.step, steps_per_epoch=progress.steps_per_epoch
        )
        limit = plan.config.time_limit
        known = limit is not None and progress.seconds >= _TIMED_SHARE * limit * 60
        self._guess = self._total_at(progress.step, progress.seconds) if known else None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the learning rates of the next steps, and their dropout."""
        del batch, logs
        progress, config = self._progress, self._plan.config
        total_steps = progress.total_steps or self._guess or self._limit
        halved = 0.5**progress.rollbacks
        steps = range(progress.step, progress.step + next_steps(progress, config))
        self.model.next_rates = [halved * learning_rate(config, step, total_steps) for step in steps]
        progress.learning_rate = self.model.next_rates[-1]
        if config.dropout is not None:
            progress.dropout = config.dropout
        elif progress.dropout is None:
            known = progress.total_steps or self._guess
            progress.dropout = self._dropout(known or (self._limit if config.time_limit is None else None))
        self.model.next_dropout = progress.dropout

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Estimates the total once the speed is known, and corrects it later."""
        del batch, logs
        progress, run_seconds = self._progress, self._progress.run_seconds
        if progress.total_corrected or self._plan.config.time_limit is None or progress.run_steps < _TIMED_STEPS:
            return
        share = _TIMED_SHARE if progress.total_steps is None else _CORRECTED_SHARE
        if run_seconds < share * (self._seconds_left() + run_seconds):
            return
        progress.total_corrected = progress.total_steps is not None
        progress.total_steps = self._total_at(progress.run_steps, run_seconds)
        if self._plan.config.dropout is None:
            progress.dropout = self._dropout(progress.total_steps)

    def _total_at(self, steps: int, seconds: float) -> int:
        """The total of a job limited by minutes, if it continues at this speed."""
        total = self._progress.step + round(self._seconds_left() * steps / seconds)
        return min(total, self._limit or total)

    def _seconds_left(self) -> float:
        """The remaining time of a job limited by minutes."""
        return max(0.0, (self._plan.config.time_limit or 0.0) * 60 - self._progress.seconds)

    def _dropout(self, total_steps: int | None) -> float:
        """The dropout for a total of steps; for the expected passes if the total is not known."""
        progress, config = self._progress, self._plan.config
        tokens = progress.steps_per_epoch * progress.tokens_per_step
        if total_steps is None:
            passes = expected_passes(config, tokens, self._device)
        else:
            passes = progress.epochs + (total_steps - progress.step) / progress.steps_per_epoch
        characters = round(tokens * progress.characters_per_token)
        return dropout(passes, characters, config.language_model, started=config.is_started)
