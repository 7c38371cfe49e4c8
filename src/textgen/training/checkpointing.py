"""Saves a run's results and its complete training state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.errors import InputOutputError, TextgenError
from textgen.jobs import Checkpoint, CheckpointStore
from textgen.training.capture import capture
from textgen.training.limits import diverged
from textgen.training.progress import Progress
from textgen.training.results import Results


class SaveCheckpoints(keras.callbacks.ModelCheckpoint):
    """Saves after each evaluation, every `save_steps`, every `save_minutes`, and when training stops.

    It replaces when and how Keras' ModelCheckpoint saves. Keras counts batches within an epoch and overwrites files in
    place, and its files lack the dropout generators, the LSTM states and the position in the text.

    A full or failing disk does not end training: the next save tries again. Only if the last save fails does training
    end with an error.

    Args:
        store: the job's checkpoints.
        results: written first, so that a checkpoint can record the length of the logs.
        config: the settings, stored in each checkpoint.
        identity: other facts to store in each checkpoint, such as the hash of the text.
        progress: the progress so far.
        before: called before each save.
        after: called after each successful save.
        console: receives a warning when a save fails.
    """

    def __init__(
        self,
        store: CheckpointStore,
        results: Results,
        config: TrainingConfig,
        identity: Mapping[str, Any],
        progress: Progress,
        *,
        before: Callable[[], None],
        after: Callable[[], None],
        console: Console,
    ) -> None:
        # ModelCheckpoint demands a path of its own formats, which _save_model never uses.
        super().__init__(filepath=str(store.directory / "unused.keras"))
        self._store = store
        self._results = results
        self._config = config
        self._identity = identity
        self._progress = progress
        self._before = before
        self._after = after
        self._console = console
        self._last_save = time.monotonic()

    def on_train_begin(self, logs: Any = None) -> None:
        """Saves the evaluation that an interrupted run had left out, if there was one."""
        if self._progress.scores is not None:
            self._save_model(self._progress.epoch, None, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves if a save is due."""
        progress, every = self._progress, self._config.save_steps
        on_grid = every is not None and progress.epoch_step % every == 0
        overdue = time.monotonic() - self._last_save >= self._config.save_minutes * 60
        if progress.scores is not None or progress.status != "running" or on_grid or overdue:
            self._save_model(progress.epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does nothing: one Keras epoch is the whole run, and its last step is already saved."""

    def _save_model(self, epoch: int, batch: int | None, logs: Any) -> None:
        """Writes the results and a checkpoint of the current step.

        Raises:
            DivergedError: if a number in it is not finite; nothing is written.
            InputOutputError: if a write of the last save fails.
        """
        del epoch, batch, logs
        progress = self._progress
        tensors = capture(self.model)
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise diverged(progress)
        self._before()
        failures = [error for write in (self._results.write, lambda: self._write(tensors)) if (error := _try(write))]
        self._last_save = time.monotonic()
        if failures and progress.status != "running":
            raise InputOutputError(
                f"the last save, of step {progress.step}, is incomplete: {failures[0]}"
            ) from failures[0]
        if failures:
            self._console.warn(
                f"the save of step {progress.step} is incomplete; training continues, and the next save tries again: {failures[0]}"
            )

    def _write(self, tensors: Mapping[str, np.ndarray]) -> None:
        facts = {
            **self._identity,
            "config": self._config.to_mapping(),
            "progress": self._progress.state(),
            "results": self._results.state(),
        }
        self._store.write(Checkpoint(self._progress.step, tensors, facts), self._progress.best_step)
        self._after()


def _try(write: Callable[[], None]) -> TextgenError | None:
    """Calls `write` and returns its error, or None."""
    try:
        write()
    except TextgenError as error:
        return error
    return None
