"""Connects the fit loop of Keras with the controller."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textgen.generation.model_file import overflows
from textgen.signals import Signals
from textgen.training.controller import Controller, Decision
from textgen.training.evaluator import Evaluator


class ControlCallback(keras.callbacks.Callback):
    """Adds each call of steps to the progress, and prepares the next one as the controller decides.

    It must be the first in the list of callbacks: the others carry out the decision that it has asked for.

    Keras' metrics are running averages. They are reset at every report window and after an evaluation. A job that resumes
    within a window continues its averages, although `fit` resets them after its first callbacks.

    Args:
        controller: makes the decisions.
        evaluator: evaluates the model when that is decided.
        signals: held back from the first step on, so that training ends between two steps.
        copy_state: copies the complete state of the model, in all processes.
        announce: called with each decision before its steps are made.

    Attributes:
        controller: makes the decisions.
        progress: the progress so far.
        decision: the decision after the last call of steps.
        tensors: the complete state of the model at this step, if it is to be saved.
    """

    def __init__(
        self,
        controller: Controller,
        evaluator: Evaluator,
        signals: Signals,
        *,
        copy_state: Callable[[], Mapping[str, np.ndarray]],
        announce: Callable[[Decision], None],
    ) -> None:
        super().__init__()
        self.controller = controller
        self.progress = controller.progress
        self._evaluator = evaluator
        self._signals = signals
        self._copy_state = copy_state
        self._announce = announce
        self._began = 0.0
        self._accumulated: list[Any] = []
        self.decision = Decision()
        self.tensors: Mapping[str, np.ndarray] = {}

    def decide(self, *, stopped: bool = False) -> Decision:
        """Asks for the next decision.

        Args:
            stopped: whether a user's callback ends the run.
        """
        self.decision = self.controller.decide(
            time.monotonic(),
            signal=self._signals.received is not None,
            stopped=stopped,
            is_finite=self._capture,
        )
        self.progress.status = self.decision.status
        return self.decision

    def prepare(self) -> Decision:
        """Asks for the next decision, and for the one after it if the model has to be evaluated first."""
        while self.decide().evaluate:  # a signal that ends the evaluation early is part of the next decision
            self._evaluator(self.model)
        return self.decision

    def on_train_begin(self, logs: Any = None) -> None:
        """Copies the metrics before `fit` resets them."""
        del logs
        self._accumulated = [np.array(variable.numpy()) for variable in self._accumulators]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Restores the metrics."""
        del epoch, logs
        for variable, value in zip(self._accumulators, self._accumulated, strict=True):
            variable.assign(value)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Prepares the steps that are decided, and starts the clock."""
        del batch, logs
        progress, decision = self.progress, self.decision
        progress.start_call(learning_rate=decision.rates[-1], dropout=decision.dropout)
        if progress.window_steps == 0:
            self.model.reset_metrics()
        self.tensors = {}
        self.model.next_rates = list(decision.rates)
        self.model.next_dropout = decision.dropout
        self._began = time.monotonic()
        self._announce(decision)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Adds the steps to the progress, and asks what comes next."""
        del batch
        logs = logs or {}
        loss, gradient_norm = float(logs["loss"]), float(logs["gradient_norm"])  # waits for TensorFlow
        elapsed = time.monotonic() - self._began
        self._signals.hold()
        self.progress.add_call(len(self.decision.rates), loss=loss, gradient_norm=gradient_norm, seconds=elapsed)
        self.controller.estimate_total()
        if self.prepare().end:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Asks once more if a user's callback has ended training."""
        del epoch, logs
        if not self.decision.end:
            self.decide(stopped=True)

    def on_train_end(self, logs: Any = None) -> None:
        """Frees the copy of the model's state."""
        del logs
        self.tensors = {}

    @property
    def _accumulators(self) -> list[Any]:
        return [variable for metric in self.model.metrics for variable in metric.variables]

    def _capture(self) -> bool:
        """Copies the state of the model, and returns whether its numbers are finite and no weight is too large for sampling."""
        self.tensors = self._copy_state()
        return all(np.isfinite(tensor).all() for tensor in self.tensors.values()) and not any(
            overflows(tensor) for name, tensor in self.tensors.items() if name.startswith("model/")
        )
