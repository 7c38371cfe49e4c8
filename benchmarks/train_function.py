"""Makes a model's own train function, over windows of a text of random characters, for other benchmarks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from textgen.config import TrainingConfig
from textgen.dataset import Streams, training_windows
from textgen.training.attempt import compile_model
from textgen.training.replicas import Replicas

VOCABULARY = 65
STEPS = 10
"""The steps of one call of TensorFlow."""


def shape_config(shape: str, **settings: Any) -> TrainingConfig:
    """Returns the settings of a shape, `state/layers/window/batch`, with an embedding as wide as the state."""
    size, layers, window, batch = map(int, shape.split("/"))
    return TrainingConfig(
        lstm_state_size=size, layers=layers, unroll_steps=window, batch_size=batch, embedding_size=size, **settings
    )


def make_training(config: TrainingConfig, replicas: Replicas | None = None) -> Callable[[int], None]:
    """Returns a function that makes a number of steps, and waits until they are made.

    Args:
        config: the settings of the model.
        replicas: the devices that share a step; None for one.
    """
    replicas = replicas or Replicas()
    characters = max(1_000_000, 4 * STEPS * config.batch_size * config.unroll_steps)
    ids = np.random.default_rng(1).integers(2, VOCABULARY, characters).astype(np.uint8)
    streams = Streams(ids, config.batch_size, config.unroll_steps, seed=1)
    model: Any = compile_model(config, VOCABULARY, None, replicas)
    data = replicas.distribute(lambda: training_windows(streams, 0, 0, rows=replicas.rows(config.batch_size)))
    model.make_train_function()
    iterator = iter(data)

    def train(steps: int) -> None:
        logs: dict[str, Any] = {}
        for _ in range(0, steps, STEPS):
            model.next_rates, model.next_dropout = [config.learning_rate] * STEPS, config.dropout
            logs = model.train_function(iterator)
        float(logs["loss"])

    return train
