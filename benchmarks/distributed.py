"""What does distributed training cost? Compares a strategy of one device with none, and several processes with one.

    python benchmarks/distributed.py [--shape 384/1/64/16] [--rounds 5] [--text TEXT] [--shapes 384/1/64/12 ...] [--run_steps 300]

The shape is states/layers/window/streams. Both train the same model on the same windows, in turn, and the fastest of all rounds counts, because
other programs on the machine only ever make a run slower. textgen uses no strategy for one device; this measures what that saves.
`several_processes.py` explains the figures of the processes.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

import numpy as np
import tensorflow as tf
from several_processes import report

from textgen.config import TrainingConfig
from textgen.dataset import Streams, training_windows
from textgen.model import has_gpu
from textgen.training.attempt import compile_model
from textgen.training.replicas import Replicas

STORY = str(Path(__file__).parents[1] / "data" / "story.txt")
SHAPES = ("384/1/64/12", "128/2/50/48")
"""Shapes for processes, two or three of which can share the streams."""

VOCABULARY = 65
STEPS = 10
"""The steps of one call of TensorFlow."""


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
        for _ in range(0, steps, STEPS):
            model.next_rates, model.next_dropout = [0.004] * STEPS, 0.1
            logs = model.train_function(iterator)
        float(logs["loss"])

    return train


def main() -> None:
    """Prints the speed of both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", default="384/1/64/16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="the steps of a round")
    parser.add_argument("--text", default=STORY, help="the text of the processes")
    parser.add_argument("--shapes", nargs="+", default=SHAPES, help="the shapes of the processes")
    parser.add_argument("--run_steps", type=int, default=300, help="the steps of each run of the processes")
    given = parser.parse_args()
    one = tf.distribute.MirroredStrategy(["GPU:0" if has_gpu() else "CPU:0"])
    sides = {"no strategy": Replicas(), "MirroredStrategy of one device": Replicas(1, one)}
    trainings = {name: make_training(given.shape, replicas) for name, replicas in sides.items()}
    fastest = dict.fromkeys(sides, float("inf"))
    first = {}
    for name, train in trainings.items():
        began = time.perf_counter()
        train(STEPS)
        first[name] = time.perf_counter() - began
    for _ in range(given.rounds):
        for name, train in trainings.items():
            began = time.perf_counter()
            train(given.steps)
            fastest[name] = min(fastest[name], (time.perf_counter() - began) / given.steps)
    _, _, window, batch = map(int, given.shape.split("/"))
    baseline = fastest["no strategy"]
    for name, seconds in fastest.items():
        print(
            f"{name:32}{1000 * seconds:8.2f} ms per step{batch * window / seconds:10,.0f} tokens/s"
            f"{100 * (seconds / baseline - 1):+7.1f}%   first call {first[name]:.1f} s"
        )
    report(given.text, given.run_steps, given.shapes)


if __name__ == "__main__":
    main()
