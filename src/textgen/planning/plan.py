"""Plans a run: computes the size of its model, in memory and on disk, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from textgen.config import TrainingConfig
from textgen.formatting import count
from textgen.jobs import NEWEST_KEPT
from textgen.planning.model_shape import FLOAT_BYTES, ModelShape

_COPIES_OF_STATE = 4
"""The copies of weights and slots: the current and the updated values and, during a save, a copy and the file's bytes."""
_COPIES_OF_WEIGHTS = 3
"""Further copies of the weights: the gradients, the twin for validation, the best model."""
_OPTIMIZER_SLOTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0}
"""The slots of an optimizer per weight: two moments for Adam, the mean square for RMSprop, none for sgd without
momentum."""
_COPIES_OF_LOGITS = 3
"""The logits, the probabilities and their gradient."""
_TENSORFLOW_BYTES = 800_000_000
"""The memory of TensorFlow and its compiler (Linux, version 2.21)."""


@dataclass(frozen=True)
class Plan:
    """The size and the limits of a run.

    Attributes:
        config: the settings.
        vocabulary_size: the number of ids.
    """

    config: TrainingConfig
    vocabulary_size: int

    @cached_property
    def shape(self) -> ModelShape:
        """The shape of the model."""
        return ModelShape.of(vars(self.config), self.vocabulary_size)

    @property
    def tokens_per_step(self) -> int:
        """The number of tokens that one step learns from."""
        return self.config.batch_size * self.config.unroll_steps

    @property
    def memory_of_weights(self) -> int:
        """The approximate bytes of weights, gradients and optimizer slots in training, during a save."""
        state = 1 + _OPTIMIZER_SLOTS[self.config.optimizer]
        return self.shape.weight_bytes * (_COPIES_OF_STATE * state + _COPIES_OF_WEIGHTS)

    @property
    def memory_of_windows(self) -> int:
        """The approximate bytes that the backward pass keeps for the windows of one step."""
        logits = self.vocabulary_size * _COPIES_OF_LOGITS
        return FLOAT_BYTES * self.tokens_per_step * (self.shape.activations + logits)

    def memory_of_device(self, devices: int) -> int:
        """Returns the approximate bytes that training takes on each device, including TensorFlow: a copy of everything, and its share of the windows.

        Args:
            devices: the number of devices that share the batch.
        """
        return _TENSORFLOW_BYTES + self.memory_of_weights + self.memory_of_windows // devices

    @property
    def checkpoint_bytes(self) -> int:
        """The approximate bytes of a checkpoint: weights, optimizer slots, and the states of every stream."""
        weights = self.shape.weight_bytes * (1 + _OPTIMIZER_SLOTS[self.config.optimizer])
        return weights + self.config.batch_size * self.shape.state_bytes

    @property
    def disk(self) -> int:
        """The approximate bytes of all checkpoints that a job keeps."""
        return (NEWEST_KEPT + 1) * self.checkpoint_bytes  # and the best

    @property
    def limits(self) -> str:
        """The limits of the job, in words; the first one reached ends it."""
        config = self.config
        limits = ((config.epochs, "epoch"), (config.max_steps, "step"), (config.time_limit, "minute"))
        words = [count(limit, unit) for limit, unit in limits if limit is not None]
        if config.patience is not None:
            words.append(f"{count(config.patience, 'evaluation')} without improvement")
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))

    def total_steps(self, *, epochs: float, steps: int, steps_per_epoch: int) -> int | None:
        """Returns the total steps of a job that epochs or max_steps limit; None if only its time is limited.

        Args:
            epochs: the epochs so far.
            steps: the steps so far, perhaps with windows of another size.
            steps_per_epoch: the steps in each remaining epoch.
        """
        config = self.config
        totals = [config.max_steps] if config.max_steps is not None else []
        if config.epochs is not None:
            totals.append(steps + round((config.epochs - epochs) * steps_per_epoch))
        return min(totals, default=None)

    def fraction(self, *, epochs: float, steps: int, minutes: float) -> float:
        """Returns how much of the job is done, from 0 to 1, by the limit that is closest.

        Args:
            epochs: the epochs so far.
            steps: the steps so far.
            minutes: the minutes of training so far.
        """
        return min(1.0, max(self._shares(epochs=epochs, max_steps=steps, minutes=minutes).values()))

    def reached(self, *, epochs: float, steps: int, minutes: float, stale: int) -> list[str]:
        """Returns the settings whose limits the job has reached; empty if it is not finished.

        Args:
            epochs: the epochs so far.
            steps: the steps so far.
            minutes: the minutes of training so far.
            stale: the evaluations since the best one.
        """
        shares = self._shares(epochs=epochs, max_steps=steps, minutes=minutes, patience=stale)
        return [name for name, share in shares.items() if share >= 1]

    def _shares(self, **done: float) -> dict[str, float]:
        """The share that is done of each limit, by the name of its setting."""
        limits = {**vars(self.config), "minutes": self.config.time_limit}
        return {name: value / limits[name] for name, value in done.items() if limits[name] is not None}

    def describe_model(self) -> str:
        """Returns the shape of the model in words."""
        precision = self.config.precision
        parts = [
            self.shape.describe(),
            "" if precision == "float32" else f"computed in {precision.removeprefix('mixed_')}",
            f"{self.shape.parameters:,} parameters",
        ]
        return ", ".join(filter(None, parts))
