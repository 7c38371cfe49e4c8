"""Trains with textgen-train in one or several processes, with a core for each, and measures its steps, for `distributed.py`.

The bytes are those that the loopback device counts during a run, so other programs that use it add to them.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

RATE = 0.004


@dataclass(frozen=True)
class Run:
    """What was measured in a run.

    Attributes:
        tokens_per_second: the training speed that it reports, without its first call of steps.
        seconds_per_step: the same, per step.
        bytes_per_step: what all processes together sent.
        weights: the weights at the end, by name.
    """

    tokens_per_second: float
    seconds_per_step: float
    bytes_per_step: float
    weights: dict[str, np.ndarray]

    @cached_property
    def parameters(self) -> int:
        """The number of weights, whose gradients are exchanged."""
        return sum(value.size for value in self.weights.values())

    def largest_difference(self, other: "Run") -> float:
        """Returns the largest difference of two weights of the same name."""
        return max(float(np.abs(self.weights[name] - other.weights[name]).max()) for name in self.weights)


def train(text: str, shape: str, steps: int, *, workers: int = 1, share: int = 1) -> Run:
    """Trains a new model.

    Args:
        text: the file to train on.
        shape: states/layers/window/streams.
        steps: the number of steps.
        workers: the number of processes.
        share: trains on one part of the streams, of this number of equal parts.
    """
    size, layers, window, batch = map(int, shape.split("/"))
    streams = batch // share
    model = [f"--lstm_state_size={size}", f"--layers={layers}", f"--unroll_steps={window}", f"--batch_size={streams}"]
    limits = [f"--max_steps={steps}", "--patience=none", f"--learning_rate={RATE}", "--dropout=0"]
    outputs = ["--sample_length=0", "--json", f"--workers={workers}"]
    program = [sys.executable, str(Path(sysconfig.get_path("scripts"), "textgen-train"))]
    with tempfile.TemporaryDirectory() as place:
        before = loopback_bytes()
        done = subprocess.run(
            [*program, text, *model, *limits, *outputs, f"--job_dir={place}/job"],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=use_cores(workers),
        )
        sent = loopback_bytes() - before
        tensors = load_file(max(Path(place, "job", "checkpoints").glob("*.safetensors")))
    speed = json.loads(done.stdout)["tokens_per_second"]
    weights = {k: v for k, v in tensors.items() if k.startswith("model/") and "seed_generator" not in k}
    return Run(speed, streams * window / speed, sent / steps, weights)


def use_cores(count: int) -> Callable[[], None]:
    """Returns a function that restricts a process to some cores, which its workers share."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    return lambda: os.sched_setaffinity(0, cores)


def loopback_bytes() -> int:
    """Returns the bytes that this machine has sent to itself."""
    lines = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()
    return next(int(line.split(":")[1].split()[8]) for line in lines if line.strip().startswith("lo:"))
