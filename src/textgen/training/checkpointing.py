"""Saves complete training states; knows nothing of what they are scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textgen.config import TrainingConfig
from textgen.jobs import Checkpoint, CheckpointStore
from textgen.training.limits import diverged
from textgen.training.progress import Progress
from textgen.training.state import capture


class SaveCheckpoints(keras.callbacks.ModelCheckpoint):
    """Saves after each evaluation, every `save_minutes`, and when training stops.

    Of Keras' ModelCheckpoint it keeps the place in the fit loop: Keras decides when to save by batches within an epoch
    and writes in place, and its files lack the dropout generators, the LSTM states and the position in the text.

    Args:
        store: where checkpoints lie.
        config: the settings, kept in each checkpoint.
        identity: what else each checkpoint is to say of its run.
        progress: where training stands.
        saved: called after each save.
    """

    def __init__(
        self,
        store: CheckpointStore,
        config: TrainingConfig,
        identity: Mapping[str, Any],
        progress: Progress,
        saved: Callable[[], None],
    ) -> None:
        # ModelCheckpoint demands a path of its own formats, which _save_model never uses.
        super().__init__(filepath=str(store.directory / "unused.keras"))
        self._store = store
        self._config = config
        self._identity = identity
        self._progress = progress
        self._saved = saved
        self._last_save = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves if it is time."""
        progress = self._progress
        overdue = time.monotonic() - self._last_save >= self._config.save_minutes * 60
        if progress.scores is not None or progress.status != "running" or overdue:
            self._save_model(progress.epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does nothing: one Keras epoch is the whole run, and its last step has been saved."""

    def _save_model(self, epoch: int, batch: int | None, logs: Any) -> None:
        """Writes a checkpoint of the step just made.

        Raises:
            DivergedError: when a number in it is not finite; nothing is written.
        """
        del epoch, batch, logs
        progress = self._progress
        tensors = capture(self.model)
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise diverged(progress)
        facts = {
            **self._identity,
            "config": self._config.to_mapping(),
            "progress": progress.kept(),
        }
        self._store.write(Checkpoint(progress.step, tensors, facts), progress.best_step)
        self._last_save = time.monotonic()
        self._saved()
