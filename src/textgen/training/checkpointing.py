"""Saves the complete state of training, with its results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textgen.console import Console
from textgen.errors import InputOutputError, TextgenError
from textgen.generation import ModelFile
from textgen.jobs import Checkpoint, CheckpointStore
from textgen.training.control_callback import ControlCallback
from textgen.training.controller import Decision
from textgen.training.results import Results


class SaveCheckpoints(keras.callbacks.ModelCheckpoint):
    """Keras' ModelCheckpoint, but the controller decides when to save, and checkpoints are complete.

    Keras counts the batches of an epoch and overwrites files in place, and its files lack the dropout generators, the LSTM
    states and the position in the text.

    A full or failing disk does not end training: the next save tries again. Only if the last save fails does training
    end with an error.

    Args:
        store: the job's checkpoints.
        results: written first, so that a checkpoint can record the length of the logs.
        facts: other facts to store in each checkpoint, such as the settings and the hash of the text.
        control: has the decision and the tensors to save.
        to_file: builds a model file from these tensors and the step, until an evaluation has a better one.
        after: called after each successful save.
        console: receives a warning when a save fails.
    """

    def __init__(
        self,
        store: CheckpointStore,
        results: Results,
        facts: Mapping[str, Any],
        control: ControlCallback,
        *,
        to_file: Callable[[Mapping[str, np.ndarray], int, None], ModelFile],
        after: Callable[[], None],
        console: Console,
    ) -> None:
        # ModelCheckpoint demands a path of its own formats, which _save_model never uses.
        super().__init__(filepath=str(store.directory / "unused.keras"))
        self._store = store
        self._results = results
        self._facts = facts
        self._control = control
        self._to_file = to_file
        self._after = after
        self._console = console
        self._carried_out: Decision | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Saves the evaluation that an interrupted run had left out, if there was one."""
        self._save_model(0, None, logs)

    def _should_save_on_batch(self, batch: int) -> bool:
        """Asks the decision; Keras would count batches."""
        del batch
        return self._control.decision.save

    def _save_model(self, epoch: int, batch: int | None, logs: Any) -> None:
        """Carries out a decision once, although Keras also calls this at the end, for a run that a user's callback has ended."""
        del epoch, batch, logs
        decision = self._control.decision
        if decision.save and decision is not self._carried_out:
            self._carried_out = decision
            self._save(is_last=bool(decision.end))

    def _save(self, *, is_last: bool) -> None:
        """Writes the results and a checkpoint of the current step.

        Raises:
            InputOutputError: if a write of the last save fails.
        """
        progress, tensors = self._control.progress, self._control.tensors
        step = progress.step
        if progress.best_loss is None:
            self._results.add_model(self._to_file(tensors, step, None))
        failures = [error for write in (self._results.write, lambda: self._write(tensors)) if (error := _try(write))]
        self._control.controller.note_save(time.monotonic())
        if failures and is_last:
            raise InputOutputError(f"the last save, of step {step}, is incomplete: {failures[0]}") from failures[0]
        if failures:
            self._console.warn(
                f"the save of step {step} is incomplete; training continues, and the next save tries again: {failures[0]}"
            )

    def _write(self, tensors: Mapping[str, np.ndarray]) -> None:
        progress = self._control.progress
        facts = {**self._facts, "progress": progress.state(), "results": self._results.state()}
        self._store.write(Checkpoint(progress.step, tensors, facts), progress.best_step)
        self._after()


def _try(write: Callable[[], None]) -> TextgenError | None:
    """Calls `write` and returns its error, or None."""
    try:
        write()
    except TextgenError as error:
        return error
    return None
