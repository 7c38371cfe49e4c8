"""Ends training: at the job's limits, after a signal, or when the loss or the gradient is no longer finite."""

from __future__ import annotations

import math

import keras

from textgen.errors import DivergedError, named
from textgen.planning import Plan
from textgen.signals import Signals
from textgen.training.progress import Progress


class StopAtLimits(keras.callbacks.Callback):
    """Ends training after the step that reaches a limit, or during which a signal arrived.

    Args:
        plan: the limits.
        progress: the progress so far.
        signals: held back from the first step on, so that training ends between two steps.
    """

    def __init__(self, plan: Plan, progress: Progress, signals: Signals) -> None:
        super().__init__()
        self._plan = plan
        self._progress = progress
        self._signals = signals

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Checks the limits and the signals.

        Raises:
            DivergedError: if a number is not finite; nothing of this step is saved.
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
    """Returns the error for a loss, a gradient or a weight that is not finite."""
    again = (
        f" with a learning rate of {progress.learning_rate:.3g}, halved {progress.rollbacks} times"
        if progress.rollbacks
        else ""
    )
    return DivergedError(
        f"training diverged at step {progress.step}{again}: the loss, the gradient or a weight is no longer finite; "
        f"lower {named('learning_rate')}, {named('weight_decay')} or {named('clip_gradients')} and run again to resume from the last checkpoint"
    )
