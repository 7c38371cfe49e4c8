"""Ends training: at the job's limits, when a signal asks for it, or when the loss is no longer a number."""

from __future__ import annotations

import math
import signal
from types import FrameType
from typing import Any, Self

import keras

from textgen.errors import DivergedError
from textgen.planning import Plan
from textgen.training.progress import Progress


class Signals:
    """While entered, SIGINT and SIGTERM are noted and training stops after the step; a second SIGINT stops at once.

    Attributes:
        received: the first signal that came.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or signal.Signals(number)


class StopAtLimits(keras.callbacks.Callback):
    """Ends training with the step that reaches the plan's limit, or after which a signal is there.

    Args:
        plan: the limits.
        progress: where training stands.
        signals: those received.
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
        del batch
        progress = self._progress
        if not math.isfinite((logs or {})["loss"]):
            raise diverged(progress)
        done = self._plan.fraction(epochs=progress.epochs, steps=progress.step, minutes=progress.minutes)
        if done >= 1:
            progress.status = "finished"
        elif self._signals.received is not None:
            progress.status = "stopped"
        if progress.status != "running":
            self.model.stop_training = True


def diverged(progress: Progress) -> DivergedError:
    """The failure of a loss or a weight that is infinite or no number."""
    return DivergedError(
        f"training diverged at step {progress.step}: the loss or a weight is no longer a finite number; lower --learning_rate or "
        "--clip_gradients and run again, which goes on from the last checkpoint"
    )
