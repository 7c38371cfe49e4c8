"""The plan of a run: sizes of the model, in memory and on disk, and what ends it; arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config import TrainingConfig

_FLOAT_BYTES = 4
_COPIES_OF_STATE = 4
"""Of weights and slots: themselves, their values after the update, and, in a save, their copies and the file's bytes."""
_COPIES_OF_WEIGHTS = 3
"""More: gradients, the twin that scores, the best model."""
_OPTIMIZER_SLOTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0}
"""The numbers that an optimizer keeps of each weight: Adam both moments, RMSprop the mean square, and sgd, without
momentum, nothing."""
_CHECKPOINTS = 3
"""Those that a job keeps: the newest two and the best."""
_ACTIVATIONS_PER_CELL = 16
"""Per cell and token, what the backward pass keeps and makes: factors, states, outputs, their gradients; normalised, twice as many."""
_COPIES_OF_LOGITS = 3
"""Logits, probabilities, their gradient."""
_TENSORFLOW_BYTES = 800_000_000
"""What TensorFlow takes for itself and its compiler (Linux, version 2.21)."""


@dataclass(frozen=True)
class Plan:
    """What a run is going to be.

    Attributes:
        config: the settings.
        vocabulary_size: the number of ids.
    """

    config: TrainingConfig
    vocabulary_size: int

    @property
    def parameters(self) -> int:
        """The number of weights."""
        config = self.config
        size, output = config.lstm_state_size, config.num_proj or config.lstm_state_size
        width = config.embedding_size or self.vocabulary_size
        total = self.vocabulary_size * config.embedding_size if config.embedding_size else 0
        for _ in range(config.layers):
            total += (width + output + 1) * 4 * size
            total += size * config.num_proj if config.num_proj else 0
            total += 10 * size if config.layer_norm else 0
            width = output
        return total + (output + 1) * self.vocabulary_size

    @property
    def tokens_per_step(self) -> int:
        """The tokens learned from in one step."""
        return self.config.batch_size * self.config.unroll_steps

    @property
    def memory_of_weights(self) -> int:
        """About how many bytes weights, their gradients and the optimizer's slots take in training, while they are saved."""
        state = 1 + _OPTIMIZER_SLOTS[self.config.optimizer]
        return _FLOAT_BYTES * self.parameters * (_COPIES_OF_STATE * state + _COPIES_OF_WEIGHTS)

    @property
    def memory_of_windows(self) -> int:
        """About how many bytes the backward pass keeps of one step's windows."""
        cells = self.config.lstm_state_size * self.config.layers * _ACTIVATIONS_PER_CELL
        cells *= 2 if self.config.layer_norm else 1
        return _FLOAT_BYTES * self.tokens_per_step * (cells + self.vocabulary_size * _COPIES_OF_LOGITS)

    @property
    def memory(self) -> int:
        """About how many bytes training takes, TensorFlow included."""
        return _TENSORFLOW_BYTES + self.memory_of_weights + self.memory_of_windows

    @property
    def checkpoint_bytes(self) -> int:
        """About how many bytes a checkpoint takes: weights, the optimizer's slots, and h and c of every stream."""
        config = self.config
        weights = self.parameters * (1 + _OPTIMIZER_SLOTS[config.optimizer])
        width_of_states = config.lstm_state_size + (config.num_proj or config.lstm_state_size)
        return _FLOAT_BYTES * (weights + config.batch_size * config.layers * width_of_states)

    @property
    def disk(self) -> int:
        """About how many bytes the checkpoints take that a job keeps."""
        return _CHECKPOINTS * self.checkpoint_bytes

    @property
    def limits(self) -> str:
        """What ends the job, in words."""
        config = self.config
        limits = ((config.epochs, "epoch"), (config.max_steps, "step"), (config.time_limit, "minute"))
        words = [f"{limit:.12g} {unit}{'' if limit == 1 else 's'}" for limit, unit in limits if limit is not None]
        if config.patience is not None:
            words.append(f"{config.patience} scoring{'' if config.patience == 1 else 's'} without a better one")
        return " or ".join(words)

    def total_steps(self, *, epochs: float, steps: int, steps_per_epoch: int) -> int | None:
        """The updates that the job will have made when epochs or max_steps end it; None when only the time is limited.

        Args:
            epochs: passes over the text so far.
            steps: updates so far, perhaps with windows of another size.
            steps_per_epoch: of the passes that are left.
        """
        config = self.config
        totals = [config.max_steps] if config.max_steps is not None else []
        if config.epochs is not None:
            totals.append(steps + round((config.epochs - epochs) * steps_per_epoch))
        return min(totals, default=None)

    def fraction(self, *, epochs: float, steps: int, minutes: float) -> float:
        """How much of the job is done, from 0 to 1: the furthest of its limits.

        Args:
            epochs: passes over the text so far.
            steps: updates so far.
            minutes: of training so far.
        """
        config = self.config
        pairs = ((epochs, config.epochs), (steps, config.max_steps), (minutes, config.time_limit))
        return min(1.0, max(done / limit for done, limit in pairs if limit is not None))

    def is_stale(self, stale: int) -> bool:
        """Whether patience is over.

        Args:
            stale: scorings since the best one.
        """
        return self.config.patience is not None and stale >= self.config.patience

    def is_reached(self, *, epochs: float, steps: int, minutes: float, stale: int) -> bool:
        """Whether the job is at an end.

        Args:
            epochs: passes over the text so far.
            steps: updates so far.
            minutes: of training so far.
            stale: scorings since the best one.
        """
        return self.is_stale(stale) or self.fraction(epochs=epochs, steps=steps, minutes=minutes) >= 1

    def describe_model(self) -> str:
        """The model's shape in words."""
        config = self.config
        parts = [
            f"{config.layers} LSTM {'layer' if config.layers == 1 else 'layers'} of {config.lstm_state_size} states",
            f"embedding of {config.embedding_size}" if config.embedding_size else "one-hot input",
            f"projection to {config.num_proj}" if config.num_proj else "",
            "layer norm" if config.layer_norm else "",
            "" if config.precision == "float32" else f"computed in {config.precision.removeprefix('mixed_')}",
            f"{self.parameters:,} parameters",
        ]
        return ", ".join(part for part in parts if part)
