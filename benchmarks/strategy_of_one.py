"""Compares a distribution strategy of one device with none, which textgen uses for one device. `distributed.py` runs it.

    python benchmarks/strategy_of_one.py SHAPE

Prints the seconds of a step of both, as JSON. A shape is states/layers/window/streams.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

import tensorflow as tf
from train_function import STEPS, make_training, shape_config

from textgen.model import has_gpu
from textgen.training.replicas import Replicas

STEPS_OF_ROUND = 100
ROUNDS = 8


def main() -> None:
    """Trains with both in turn. The fastest round counts."""
    (shape,) = sys.argv[1:]
    config = shape_config(shape, dropout=0.1, learning_rate=0.004)
    one = tf.distribute.MirroredStrategy(["GPU:0" if has_gpu() else "CPU:0"])
    trainings = {
        "no strategy": make_training(config),
        "MirroredStrategy of one device": make_training(config, Replicas(1, one)),
    }
    fastest = dict.fromkeys(trainings, float("inf"))
    for train in trainings.values():
        train(STEPS)  # TensorFlow traces and compiles it
    for _ in range(ROUNDS):
        for name, train in trainings.items():
            began = time.perf_counter()
            train(STEPS_OF_ROUND)
            fastest[name] = min(fastest[name], (time.perf_counter() - began) / STEPS_OF_ROUND)
    print(json.dumps(fastest))


if __name__ == "__main__":
    main()
