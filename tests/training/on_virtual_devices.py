"""Trains tiny models on virtual CPU devices, in a process of its own: they must be made before TensorFlow's first operation.

    python -m tests.training.on_virtual_devices FOLDER RUNS

RUNS is JSON: for each job, a list of runs of it, one after the other, each a mapping of settings and `devices`. The messages of the last run of
each job are printed as JSON, and what dropout keeps in two calls, on each of two devices.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from unittest import mock

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tensorflow as tf

from tests.training.conftest import train_tiny, write_book
from textgen.model import tensorflow_ops
from textgen.model.dropout import Dropout
from textgen.training.replicas import Replicas

DEVICES = 4


def split_cpu():
    """Splits the CPU into virtual devices."""
    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES)


def main(place, jobs):
    """Trains the jobs, and returns the messages of the last run of each."""
    split_cpu()
    has_compiler = tensorflow_ops._has_compiler
    book = write_book(place)
    said = {}
    for job, runs in jobs.items():
        for settings in runs:
            compiled = settings.pop("compiled", False)
            with mock.patch.object(tensorflow_ops, "_has_compiler", has_compiler if compiled else lambda: False):
                _, _, said[job] = train_tiny(place, job, book, **settings)
    return said


def draw_masks():
    """Returns what dropout keeps of ones in two calls, on each of two devices."""
    replicas = Replicas.on_devices(2)
    assert replicas.strategy is not None
    strategy = replicas.strategy
    keras.utils.set_random_seed(1)
    with replicas.scope():
        dropout = Dropout(0.5)
        dropout.build((1, 64))

    @tf.function(autograph=False)
    def call():
        return strategy.run(lambda: dropout(tf.ones((1, 64)), training=True))

    calls = [strategy.experimental_local_results(call()) for _ in range(2)]
    return [[(mask.numpy() > 0).tolist() for mask in masks] for masks in calls]


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        messages = main(Path(sys.argv[1]), json.loads(sys.argv[2]))
        masks = draw_masks()
    sys.stdout.write(json.dumps({"messages": messages, "masks": masks}))
