"""Decides what a run does before each call of training steps, from counts, losses, the time and signals.

Several short steps run in one call of TensorFlow, because Python updates the display, evaluates and saves between two calls
while the processor waits. A decision is a small value, and the callbacks of the fit loop only carry it out. So one machine can
decide for several. This module uses neither TensorFlow nor a clock of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from textgen.config import TrainingConfig
from textgen.planning import DeviceKind, Plan, dropout, epochs_between_evaluations, expected_passes
from textgen.training.progress import REPORT_STEPS, Progress

_CALL_SECONDS = 0.25
"""How long one call should take: short enough to respond to Ctrl-C, and about 100 times the overhead of a call."""
_WARM_UP_STEPS = 100
_LAST_RATE = 0.03
_TIMED_STEPS = 20
_TIMED_SHARE = 0.05
"""The share of the remaining time after which the total is estimated; by then the cosine has hardly moved."""
_CORRECTED_SHARE = 0.3
"""The share after which the total is corrected, because the first seconds are often slower or faster than the rest."""


@dataclass(frozen=True)
class Decision:
    """What to do after one call of steps and in the next one, in the order of the attributes.

    All values are numbers, strings or tuples of them, so a decision can be sent as JSON.

    Attributes:
        evaluate: whether to evaluate the model now. Everything else is left to the next decision, which knows the scores.
        report: whether the averages are complete, so that they are written and new ones start.
        save: whether to save.
        end: why training ends here: the setting whose limit is reached, `signal`, `callback` (a user's), `diverged`, or `rollback`,
            which is a divergence after which the job returns to its last checkpoint. Empty if training continues.
        rates: the learning rate of each step of the next call; empty if there is none.
        dropout: the dropout of these steps.
    """

    evaluate: bool = False
    report: bool = False
    save: bool = False
    end: str = ""
    rates: tuple[float, ...] = ()
    dropout: float = 0.0

    @property
    def status(self) -> Literal["running", "stopped", "finished"]:
        """The status of the job. One that has diverged is still `running`: it has not ended as it should."""
        if self.end in {"signal", "callback"}:
            return "stopped"
        return "running" if self.end in {"", "rollback", "diverged"} else "finished"


class Controller:
    """Makes the decisions of a run.

    Evaluations are on a fixed grid: the ends of epochs (every few epochs for a short text), every `eval_steps`, and the last
    step of a finished job. So an interrupted run evaluates the same steps as an uninterrupted one. Learning rate and dropout
    follow the total of steps. If minutes limit the job, it is estimated from the speed of the first steps, corrected once, and
    stored in every checkpoint. Only saves in between and the end of the job follow the clock.

    Args:
        plan: the settings and the limits of the job.
        progress: the progress so far, to which every call of steps and every evaluation is added.
        device: the kind of device that trains.
        cores: the number of cores of the CPUs that train.
        most_steps: the maximum number of steps in one call.
        now: the time in seconds, on any clock.
    """

    def __init__(
        self, plan: Plan, progress: Progress, *, device: DeviceKind, cores: int, most_steps: int, now: float
    ) -> None:
        self.progress = progress
        self._plan = plan
        self._device: DeviceKind = device
        self._cores = cores
        self._most_steps = most_steps
        self._saved_at, self._saved_step = now, progress.step
        self._limit = plan.total_steps(
            epochs=progress.epochs, steps=progress.step, steps_per_epoch=progress.steps_per_epoch
        )
        limit = plan.config.time_limit
        known = limit is not None and progress.seconds >= _TIMED_SHARE * limit * 60
        self._guess = self._total_at(progress.step, progress.seconds) if known else None

    def decide(
        self,
        now: float,
        *,
        signal: bool = False,
        stopped: bool = False,
        is_finite: Callable[[], bool] = lambda: True,
    ) -> Decision:
        """Decides what comes next. Without an observation in between, the answer is the same.

        Args:
            now: the time in seconds.
            signal: whether a signal to end the run has arrived.
            stopped: whether a user's callback ends the run.
            is_finite: returns whether all numbers of the model are finite; called only before a save.
        """
        progress, config = self.progress, self._plan.config
        if progress.has_diverged:
            return Decision(end="rollback" if progress.rollbacks < config.max_rollbacks else "diverged")
        reached = self._plan.reached(
            epochs=progress.epochs, steps=progress.step, minutes=progress.minutes, stale=progress.stale
        )
        evaluate = self._must_evaluate(is_last=bool(reached))
        end: str = ""
        if reached and not evaluate:
            end = reached[0]
        elif signal:
            end = "signal"
        elif stopped:
            end = "callback"
        elif evaluate:
            return Decision(evaluate=True)
        save = self._must_save(now, ends=bool(end))
        if save and not is_finite():
            progress.has_diverged = True
            return self.decide(now)
        steps = range(progress.step, progress.step + (0 if end else self._next_steps()))
        return Decision(
            report=progress.window_ends,
            save=save,
            end=end,
            rates=tuple(self._rate(step) for step in steps),
            dropout=self._dropout(),
        )

    def estimate_total(self) -> None:
        """Estimates the total of steps once the speed is known, and corrects it later; to be called after each call of steps."""
        progress, run_seconds = self.progress, self.progress.run_seconds
        if progress.total_corrected or self._plan.config.time_limit is None or progress.run_steps < _TIMED_STEPS:
            return
        share = _TIMED_SHARE if progress.total_steps is None else _CORRECTED_SHARE
        if run_seconds < share * (self._seconds_left() + run_seconds):
            return
        progress.total_corrected = progress.total_steps is not None
        progress.total_steps = self._total_at(progress.run_steps, run_seconds)
        if self._plan.config.dropout is None:
            progress.dropout = self._dropout_for(progress.total_steps)

    def note_save(self, now: float) -> None:
        """Notes that this step was saved or that this failed, which makes the next save due at the same time."""
        self._saved_at, self._saved_step = now, self.progress.step

    def _must_evaluate(self, *, is_last: bool) -> bool:
        """Whether this step is on the grid of evaluations and has no scores yet."""
        progress, every = self.progress, self._plan.config.eval_steps
        if progress.step in {0, progress.scored_step}:
            return False
        epochs_apart = epochs_between_evaluations(progress.steps_per_epoch, progress.tokens_per_step)
        ends_epoch = progress.epoch_step == 0 and progress.epoch % epochs_apart == 0
        return is_last or ends_epoch or (every is not None and progress.epoch_step % every == 0)

    def _must_save(self, now: float, *, ends: bool) -> bool:
        """Whether this step was evaluated, or else ends the run, is on the grid of saves, or comes too long after the last save."""
        progress, config = self.progress, self._plan.config
        if progress.scores is not None:
            return True
        on_grid = config.save_steps is not None and progress.epoch_step % config.save_steps == 0
        overdue = now - self._saved_at >= config.save_minutes * 60
        return progress.step != self._saved_step and (ends or on_grid or overdue)

    def _next_steps(self) -> int:
        """The number of steps of the next call, which ends where something is due. The results do not depend on it."""
        progress, config = self.progress, self._plan.config
        speed = progress.run_steps / progress.run_seconds if progress.run_seconds else 0.0
        limits = [
            max(1, int(speed * _CALL_SECONDS)),
            self._most_steps,
            REPORT_STEPS - (0 if progress.window_ends else progress.window_steps),
            progress.steps_per_epoch - progress.epoch_step,
        ]
        limits += [every - progress.epoch_step % every for every in (config.eval_steps, config.save_steps) if every]
        if config.max_steps is not None:
            limits.append(config.max_steps - progress.step)
        return min(limits)

    def _rate(self, step: int) -> float:
        """The learning rate of a step, which each rollback halves."""
        progress = self.progress
        total_steps = progress.total_steps or self._guess or self._limit
        return 0.5**progress.rollbacks * learning_rate(self._plan.config, step, total_steps)

    def _dropout(self) -> float:
        """The dropout of the next step, which follows the number of passes over the text unless the config has a value."""
        progress, config = self.progress, self._plan.config
        if config.dropout is not None:
            return config.dropout
        if progress.dropout is not None:
            return progress.dropout
        known = progress.total_steps or self._guess
        return self._dropout_for(known or (self._limit if config.time_limit is None else None))

    def _total_at(self, steps: int, seconds: float) -> int:
        """The total of a job limited by minutes, if it continues at this speed."""
        total = self.progress.step + round(self._seconds_left() * steps / seconds)
        return min(total, self._limit or total)

    def _seconds_left(self) -> float:
        """The remaining time of a job limited by minutes."""
        return max(0.0, (self._plan.config.time_limit or 0.0) * 60 - self.progress.seconds)

    def _dropout_for(self, total_steps: int | None) -> float:
        """The dropout for a total of steps; for the expected passes if the total is not known."""
        progress, config = self.progress, self._plan.config
        tokens = progress.steps_per_epoch * progress.tokens_per_step
        if total_steps is None:
            passes = expected_passes(config, tokens, self._device, self._cores)
        else:
            passes = progress.epochs + (total_steps - progress.step) / progress.steps_per_epoch
        characters = round(tokens * progress.characters_per_token)
        return dropout(passes, characters, config.language_model, started=config.is_started)


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
