"""The plan of a run: sizes of the model and of memory, and what ends it; arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config import TrainingConfig

_FLOAT_BYTES = 4
_COPIES_OF_WEIGHTS = 4
"""Weights, gradients, and the optimizer's two slots."""
_ACTIVATIONS_PER_CELL = 14
"""Per cell and token, what the backward pass keeps: gates, their inputs, states, outputs."""
_COPIES_OF_LOGITS = 3
"""Logits, probabilities, their gradient."""
_TENSORFLOW_BYTES = 600_000_000
"""What TensorFlow takes before it has done anything (about 0.5 GB once imported, Linux, version 2.21)."""


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
    def memory(self) -> int:
        """About how many bytes training takes, TensorFlow included."""
        weights = self.parameters * _COPIES_OF_WEIGHTS
        cells = self.config.lstm_state_size * self.config.layers * _ACTIVATIONS_PER_CELL
        activations = self.tokens_per_step * (cells + self.vocabulary_size * _COPIES_OF_LOGITS)
        return _TENSORFLOW_BYTES + _FLOAT_BYTES * (weights + activations)

    @property
    def limits(self) -> str:
        """What ends the job, in words."""
        config = self.config
        limits = ((config.epochs, "epoch"), (config.max_steps, "step"), (config.time_limit, "minute"))
        return " or ".join(
            f"{limit:.12g} {unit}{'' if limit == 1 else 's'}" for limit, unit in limits if limit is not None
        )

    def total_steps(self, steps_per_epoch: int) -> int | None:
        """The updates that epochs and max_steps allow; None when only the time is limited.

        Args:
            steps_per_epoch: of the training text.
        """
        config = self.config
        steps = [config.max_steps, None if config.epochs is None else config.epochs * steps_per_epoch]
        return min((count for count in steps if count is not None), default=None)

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

    def describe_model(self) -> str:
        """The model's shape in words."""
        config = self.config
        parts = [
            f"{config.layers} LSTM {'layer' if config.layers == 1 else 'layers'} of {config.lstm_state_size} states",
            f"embedding of {config.embedding_size}" if config.embedding_size else "one-hot input",
            f"projection to {config.num_proj}" if config.num_proj else "",
            "layer norm" if config.layer_norm else "",
            "half precision" if config.use_fp16 else "",
            f"{self.parameters:,} parameters",
        ]
        return ", ".join(part for part in parts if part)
