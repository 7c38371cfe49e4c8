"""Measures what several processes gain, and what they send: textgen-train --workers against one process, for `distributed.py`.

For each shape, it trains in one process on one core, in one process with half the batch, and in two processes on a core each. So the
throughput of two shows what the exchange of the gradients costs. Its share of a step is what a step of two processes takes longer than a step
of half the batch in one. The bytes are those that the loopback device counts during the run, so on a machine that does other things they are too
high. Three processes are compared too, for the bytes and for equal weights.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

_RATE = 0.004


@dataclass(frozen=True)
class Result:
    """The figures of a run.

    Attributes:
        tokens_per_second: as the run reports them.
        bytes_per_step: sent over the loopback device.
        seconds: from the start of the command to its end.
        weights: the weights at the end.
    """

    tokens_per_second: float
    bytes_per_step: float
    seconds: float
    weights: dict[str, np.ndarray]


def train(text: str, shape: str, steps: int, *, workers: int, batch: int | None = None) -> Result:
    """Trains with a core for each process."""
    size, layers, window, whole = map(int, shape.split("/"))
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, str(Path(sysconfig.get_path("scripts")) / "textgen-train"), text, "--json"]
        command += [f"--lstm_state_size={size}", f"--layers={layers}", f"--unroll_steps={window}", "--dropout=0"]
        command += [
            f"--batch_size={batch or whole}",
            f"--max_steps={steps}",
            f"--learning_rate={_RATE}",
            "--deterministic",
        ]
        command += [f"--job_dir={place}/job", f"--workers={workers}", "--sample_length=0", "--patience=none"]
        cores = sorted(os.sched_getaffinity(0))
        before, began = loopback_bytes(), time.monotonic()
        done = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cores[:workers]),
        )
        seconds = time.monotonic() - began
        sent = loopback_bytes() - before
        weights = load_file(max(Path(place, "job", "checkpoints").glob("*.safetensors")))
    speed = json.loads(done.stdout)["tokens_per_second"] or 0.0
    return Result(speed, sent / steps, seconds, {k: v for k, v in weights.items() if k.startswith("model/")})


def loopback_bytes() -> int:
    """Returns the bytes that this machine has sent to itself."""
    lines = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()
    return next(int(line.split(":")[1].split()[8]) for line in lines if line.strip().startswith("lo:"))


def largest_difference(one: Result, other: Result) -> float:
    """Returns the largest difference of two weights of the same name."""
    return max(float(np.abs(one.weights[name] - other.weights[name]).max()) for name in one.weights)


def report(text: str, steps: int, shapes: Sequence[str]) -> None:
    """Prints the figures, one shape after the other."""
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores; {steps} steps; each process has one core")
    for workers in (1, 2):
        print(f"start, one step and end of {workers}: {train(text, shapes[0], 1, workers=workers).seconds:.1f} s")
    for shape in shapes:
        batch = int(shape.rpartition("/")[2])
        one = train(text, shape, steps, workers=1)
        half = train(text, shape, steps, workers=1, batch=batch // 2)
        two = train(text, shape, steps, workers=2)
        three = train(text, shape, steps, workers=3)
        parameters = sum(value.size for name, value in one.weights.items() if "seed_generator" not in name)
        share = 1 - two.tokens_per_second / (2 * half.tokens_per_second)
        print(f"{shape}, {parameters:,} parameters")
        print(f"  one    {one.tokens_per_second:10,.0f} tokens/s   half the batch {half.tokens_per_second:,.0f}")
        print(
            f"  two    {two.tokens_per_second:10,.0f} tokens/s   {two.tokens_per_second / one.tokens_per_second:.2f} x one"
        )
        print(f"         the exchange takes {share:.0%} of a step")
        for workers, found in ((2, two), (3, three)):
            ring = 4 * parameters * 2 * (workers - 1)  # each process sends 2 (N - 1) / N of the gradients
            print(
                f"  {workers} processes send {found.bytes_per_step:,.0f} bytes per step (a ring of float32: {ring:,}); weights within "
                f"{largest_difference(one, found):.1e} of one"
            )
