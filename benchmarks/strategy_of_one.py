"""Compares a distribution strategy of one device with none, which textgen uses for one device. `distributed.py` runs it.

    python benchmarks/strategy_of_one.py SHAPE

Prints the seconds of a step of both, as JSON. A shape is states/layers/window/streams.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

import numpy as np
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.dataset import Streams, training_windows
from textgen.model import has_gpu
from textgen.training.attempt import compile_model
from textgen.training.replicas import Replicas

VOCABULARY = 65
STEPS_OF_CALL = 10
STEPS_OF_ROUND = 100
ROUNDS = 8


def make_training(shape: str, replicas: Replicas) -> Callable[[int], None]:
    """Returns a function that makes a number of steps."""
    size, layers, window, batch = map(int, shape.split("/"))
    config = TrainingConfig(
        lstm_state_size=size, layers=layers, embedding_size=size, unroll_steps=window, batch_size=batch, dropout=0.1
    )
    ids = np.random.default_rng(1).integers(2, VOCABULARY, 1_000_000).astype(np.uint8)
    streams = Streams(ids, batch, window, seed=1)
    model: Any = compile_model(config, VOCABULARY, None, replicas)
    data = replicas.distribute(lambda: training_windows(streams, 0, 0, rows=replicas.rows(batch)))
    model.make_train_function()
    iterator = iter(data)

    def train(steps: int) -> None:
        logs: dict[str, Any] = {}
        for _ in range(0, steps, STEPS_OF_CALL):
            model.next_rates, model.next_dropout = [0.004] * STEPS_OF_CALL, 0.1
            logs = model.train_function(iterator)
        float(logs["loss"])  # waits for TensorFlow

    return train


def main() -> None:
    """Trains with both in turn. The fastest round counts."""
    (shape,) = sys.argv[1:]
    one = tf.distribute.MirroredStrategy(["GPU:0" if has_gpu() else "CPU:0"])
    trainings = {
        "no strategy": make_training(shape, Replicas()),
        "MirroredStrategy of one device": make_training(shape, Replicas(1, one)),
    }
    fastest = dict.fromkeys(trainings, float("inf"))
    for train in trainings.values():
        train(STEPS_OF_CALL)  # TensorFlow traces and compiles it
    for _ in range(ROUNDS):
        for name, train in trainings.items():
            began = time.perf_counter()
            train(STEPS_OF_ROUND)
            fastest[name] = min(fastest[name], (time.perf_counter() - began) / STEPS_OF_ROUND)
    print(json.dumps(fastest))


if __name__ == "__main__":
    main()
