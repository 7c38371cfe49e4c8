"""Ends training: at the job's limits, when a signal asks for it, or when the loss or the gradient is no longer a number."""

from __future__ import annotations

import math

import keras

from textgen.errors import DivergedError, named
from textgen.planning import Plan
from textgen.signals import Signals
from textgen.training.progress import Progress


class StopAtLimits(keras.callbacks.Callback):
    """Ends training with the step that reaches the plan's limit, or after which a signal is there.

    Args:
        plan: the limits.
        progress: where training stands.
        signals: only noted from the first step on, to end after a step.
    """

    def __init__(self, plan: Plan, progress: Progress, signals: Signals) -> None:
        super().__init__()
        self._plan = plan
        self._progress = progress
        self._signals = signals

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Decides.

        Raises:
            DivergedError: before anything of this step is saved.
        """
        del batch, logs
        progress = self._progress
        self._signals.hold()
        if not (math.isfinite(progress.window_loss) and math.isfinite(progress.gradient_norm)):
            raise diverged(progress)
        done = self._plan.fraction(epochs=progress.epochs, steps=progress.step, minutes=progress.minutes)
        if self._signals.received is not None:
            progress.status = "stopped"
        elif done >= 1:
            progress.status = "finished"
        if progress.status != "running":
            self.model.stop_training = True


def diverged(progress: Progress) -> DivergedError:
    """The failure of a loss, a gradient or a weight that is infinite or no number."""
    again = (
        f" with {progress.learning_rate:.3g} as the learning rate, halved {progress.rollbacks} x"
        if progress.rollbacks
        else ""
    )
    return DivergedError(
        f"training diverged at step {progress.step}{again}: the loss, the gradient or a weight is no longer a finite number; "
        f"lower {named('learning_rate')}, {named('weight_decay')} or {named('clip_gradients')} and run again, which goes on from the last checkpoint"
    )
