"""Where does the time of a training step go? Runs TensorFlow's profiler on the model's own train function.

Times are summed over threads, so a step of 30 ms on two cores can show 60 ms. Everything except matrix products and the gates
should take less than a tenth.

    python benchmarks/profile_step.py [SHAPE ...] [--layer_norm]

A SHAPE is state/layers/window/batch, by default 384/1/64/16.
"""

import argparse
import collections
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")  # as textgen-train does

import re

import numpy as np
import tensorflow as tf
from device_profile import record

from textgen.config import TrainingConfig
from textgen.training.attempt import compile_model

VOCABULARY = 67
CALLS, STEPS = 4, 10

KINDS = (
    ("matrix products", r"matmul|^dot"),
    ("gates", r"body/.*/body/|_fusion|^wrapped_|^concat|^copy|^slice|^select|^tuple|^bitcast"),
    ("lookup and its gradient", r"gather|segmentsum"),
    ("dropout's random numbers", r"random|dropout"),
    ("softmax and loss", r"softmax|loss|crossentropy"),
    ("data", r"iterator"),
)
"""Patterns for the names of events; the first match decides the kind. Code compiled by XLA (the loops over time, the optimizer's
update) has names without a slash. TensorFlow's own loop over time is a loop body inside the body of the steps."""

FRAMES = re.compile(
    r"Execut|^run$|BlockUntilReady|::Await$|KernelAndDevice|ParallelFor|^TFE_|Eager|Thunk|BFC|^end|XlaLaunch|XlaRun|"
    r"PartitionedCall|^while|While$|StatefulPartitionedCall",
    re.IGNORECASE,
)
"""Events that only contain other events or wait for them."""


def kind_of(name: str) -> str:
    """Returns the kind of an event."""
    operation = name.rsplit(":", maxsplit=1)[-1] if ":" in name else name
    for kind, pattern in KINDS:
        if re.search(pattern, f"{operation} {name}" if "/" in name else name, re.IGNORECASE):
            return kind
    return "anything else"


def profile(config: TrainingConfig) -> collections.Counter[str]:
    """Returns the milliseconds per step by event name, summed over threads."""
    model = compile_model(config, VOCABULARY)
    shape = (config.batch_size, config.unroll_steps)
    rng = np.random.default_rng(0)
    tokens, targets = (rng.integers(2, VOCABULARY, shape).astype(np.int32) for _ in range(2))
    inputs = {"tokens": tokens, "keep": np.ones((shape[0], 1), np.float32)}
    iterator = iter(tf.data.Dataset.from_tensors((inputs, targets)).repeat().prefetch(4))
    model.make_train_function()
    train_function = model.train_function
    model.next_rates = [config.learning_rate] * STEPS
    for _ in range(2):
        float(train_function(iterator)["loss"])

    def run() -> None:
        for _ in range(CALLS):
            float(train_function(iterator)["loss"])

    space = record(run)
    found: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if not FRAMES.search(name.rsplit("/", maxsplit=1)[-1]):
                    found[name] += event.duration_ps / 1e9 / (CALLS * STEPS)
    return found


def main() -> None:
    """Prints one table per shape."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*", default=["384/1/64/16"])
    parser.add_argument("--layer_norm", action="store_true")
    given = parser.parse_args()
    for shape in given.shapes:
        size, layers, window, batch = map(int, shape.split("/"))
        events = profile(
            TrainingConfig(
                lstm_state_size=size,
                embedding_size=size,
                layers=layers,
                unroll_steps=window,
                batch_size=batch,
                layer_norm=given.layer_norm,
            )
        )
        kinds: collections.Counter[str] = collections.Counter()
        for name, time in events.items():
            kinds[kind_of(name)] += time
        total = sum(kinds.values())
        print(f"{shape}: {total:.1f} ms per step, summed over threads")
        for kind, time in kinds.most_common():
            print(f"  {time / total:5.1%}  {time:6.2f} ms  {kind}")
            for name, part in events.most_common():
                if kind_of(name) == kind and part > 0.01 * total:
                    print(f"          {part:6.2f} ms  {name.removeprefix('while/body/_1/')[:90]}")


if __name__ == "__main__":
    main()
