"""Saves complete training states and finds them again; knows nothing of what they are scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textgen.config import TrainingConfig, settings
from textgen.console import Console
from textgen.jobs import Checkpoint, CheckpointStore
from textgen.model import LanguageModel
from textgen.training.limits import diverged
from textgen.training.progress import Progress
from textgen.training.state import capture, restore

_STREAM_SETTINGS = ("batch_size", "unroll_steps", "seed")
"""With another value of these the streams are others, and neither position nor LSTM states fit them."""
_LIMITS = ("epochs", "max_steps", "minutes")
_KEPT_PROGRESS = (
    "epoch",
    "epoch_step",
    "seconds",
    "total_steps",
    "best_loss",
    "best_step",
    "loss_sum",
    "loss_steps",
)


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
            "progress": {name: getattr(progress, name) for name in _KEPT_PROGRESS},
        }
        self._store.write(Checkpoint(progress.step, tensors, facts), progress.best_step)
        self._last_save = time.monotonic()
        self._saved()


def resume(
    model: LanguageModel, progress: Progress, store: CheckpointStore, config: TrainingConfig, console: Console
) -> bool:
    """Goes on from the newest checkpoint that verifies, if there is one.

    Args:
        model: compiled; its variables are set.
        progress: set likewise.
        store: where checkpoints lie.
        config: the settings of this run; what differs from the checkpoint's is said in one line each.
        console: says it.

    Returns:
        Whether the LSTM states are those of the position; otherwise the epoch begins anew from zero states.
    """
    checkpoint = store.newest(lambda problem: console.warn(f"passing over a checkpoint: {problem}"))
    if checkpoint is None:
        return False
    before = checkpoint.facts["config"]
    changed = [name for name in _STREAM_SETTINGS if before.get(name) != getattr(config, name)]
    same_optimizer = before.get("optimizer") == config.optimizer
    missing = restore(model, checkpoint.tensors, optimizer=same_optimizer, states=not changed)
    model.optimizer.iterations.assign(checkpoint.step)
    progress.step = checkpoint.step
    for name in _KEPT_PROGRESS:
        setattr(progress, name, checkpoint.facts["progress"][name])

    console.say(f"Going on from step {progress.step} (epoch {progress.epochs:.2f})")
    for setting in settings(config):
        old, new = before.get(setting.name, setting.default), getattr(config, setting.name)
        if setting.option.group == "training" and old != new:
            console.say(f"  {setting.name} is now {new} (it was {old})")
    if not same_optimizer:
        console.say("  another optimizer: it begins with fresh slots")
    if changed or any(before.get(name) != getattr(config, name) for name in _LIMITS):
        progress.total_steps = None
    if changed:
        progress.epoch_step = 0
        console.say(f"  another {' and '.join(changed)}: the epoch begins anew")
    for name in missing:
        console.say(f"  the checkpoint has no {name}: it begins anew")
    return not changed and progress.epoch_step > 0
