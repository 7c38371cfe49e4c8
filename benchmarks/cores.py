"""What do more cores gain in training? Derives it from times on one core, and measures it on as many cores as there are.

On one core, it measures the loop over time of a part of the batch, by the number of its rows, and whole steps. A step takes the time of
the loop of one part, a fixed time, which is mostly the optimizer's update, and a time per stream, which all cores share:

    step(cores) = loop(streams / parts) * ceil(parts / cores) + fixed + per_stream * streams / cores

The table shows that prediction for 1 to 16 cores, with the parts that textgen chooses, next to steps measured on the cores that this
machine has, and the same for parts of at least eight rows.

    python benchmarks/cores.py [SHAPE ...] [--rounds 5]

A SHAPE is state/layers/window/batch, by default 16 streams of 256, 384 and 512 states, and 32 of 384. Linux only: other systems cannot bind a process to cores.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

SHAPES = ("256/1/64/16", "384/1/64/16", "512/1/64/16", "384/1/64/32")
CORES = (1, 2, 4, 8, 16)
ROWS = (1, 2, 4, 8, 16, 32, 64)


def best_times(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Returns the shortest time of each function, in milliseconds; they alternate, because other programs make a round slower."""
    best = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            began = time.perf_counter()
            run()
            best[name] = min(best[name], 1000 * (time.perf_counter() - began))
    return best


def make_loop(units: int, window: int, rows: int) -> Callable[[], Any]:
    """Returns a function that runs the loop over time forward and backward for a number of rows."""
    import tensorflow as tf

    from textgen.model.tensorflow_ops import choose_loop
    from textgen.model.time_loops import make_lstm_loop

    compiled = choose_loop(units, rows).compiled
    random = tf.random.Generator.from_seed(1)
    from_input, upstream = random.normal((window, rows, 4 * units)), random.normal((window, rows, units))
    kernel, zero = random.normal((units, 4 * units), stddev=units**-0.5), tf.zeros((rows, units))

    @tf.function(autograph=False)
    def run(from_input: Any, h: Any, c: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([from_input, h])
            outputs, _, _ = make_lstm_loop(kernel, compiled=compiled)(from_input, h, c)
            loss = tf.reduce_sum(outputs * upstream)
        return [tf.reduce_sum(part) for part in tape.gradient(loss, [from_input, h])]

    return lambda: [part.numpy() for part in run(from_input, zero, zero)]


def make_step(shape: str, least_rows: int | None) -> Callable[[], Any]:
    """Returns a function that makes ten steps with the model's own train function.

    Args:
        shape: the shape.
        least_rows: the minimum number of rows of a part; None for textgen's own choice.
    """
    from train_function import STEPS, make_training, shape_config

    from textgen.model import tensorflow_ops

    batch = int(shape.rpartition("/")[2])
    chosen = tensorflow_ops.parts_of_batch
    if least_rows is not None:
        parts = max(1, min(len(os.sched_getaffinity(0)), batch // least_rows))
        tensorflow_ops.parts_of_batch = lambda *_: parts
    train = make_training(shape_config(shape, dropout=0.1))
    train(STEPS)
    tensorflow_ops.parts_of_batch = chosen
    return lambda: train(STEPS)


def measure(shape: str, rounds: int) -> dict[str, float]:
    """Returns the milliseconds of loops and steps on the cores of this process, by name."""
    from train_function import STEPS  # loads TensorFlow, which counts the cores

    units, _, window, batch = map(int, shape.split("/"))
    found = best_times({f"step {least}": make_step(shape, least) for least in (None, 8, batch)}, rounds)
    found = {name: value / STEPS for name, value in found.items()}
    if len(os.sched_getaffinity(0)) == 1:
        quarter = shape.removesuffix(f"/{batch}") + f"/{batch // 4}"
        found["quarter"] = best_times({"": make_step(quarter, batch)}, rounds)[""] / STEPS
        found |= best_times(
            {f"loop {rows}": make_loop(units, window, rows) for rows in (*ROWS, batch // 4, batch)}, 4 * rounds
        )
    return found


def measure_on(cores: list[int], shape: str, rounds: int) -> dict[str, float]:
    """Returns the same from a process of its own that is bound to some cores."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_CPU_ALLOCATOR_USE_BFC": "true"}
    command = [sys.executable, __file__, shape, "--rounds", str(rounds), "--on", ",".join(map(str, cores))]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def interpolated(loops: Mapping[int, float], rows: float) -> float:
    """Returns the time of a loop for any number of rows, linear between the measured ones."""
    below = max(known for known in loops if known <= rows)
    above = min(known for known in loops if known >= rows)
    share = (rows - below) / (above - below) if above > below else 0.0
    return loops[below] + share * (loops[above] - loops[below])


def show(shape: str, rounds: int) -> None:
    """Measures a shape and prints its tables."""
    from textgen.machine import physical_cores
    from textgen.planning import parts_of_batch

    _, layers, _, batch = map(int, shape.split("/"))
    first_threads = [threads[0] for threads in physical_cores()]
    counts = [cores for cores in CORES if cores <= len(first_threads)]
    measured = {cores: measure_on(first_threads[:cores], shape, rounds) for cores in counts}
    one = measured[1]
    loops = {int(name.split()[1]): value for name, value in one.items() if name.startswith("loop")}
    rest, of_quarter = one[f"step {batch}"] - layers * loops[batch], one["quarter"] - layers * loops[batch // 4]
    per_stream = min(rest / batch, (rest - of_quarter) / (batch - batch // 4))
    fixed = rest - per_stream * batch

    def predicted(parts: int, cores: int) -> float:
        loop = interpolated(loops, math.ceil(batch / parts)) * math.ceil(parts / cores)
        return layers * loop + fixed + per_stream * batch / cores

    print(f"{shape}, milliseconds")
    print("  rows of a part   " + "".join(f"{rows:8}" for rows in ROWS))
    print("  loop on one core " + "".join(f"{loops[rows]:8.2f}" for rows in ROWS))
    print("  relative to eight" + "".join(f"{loops[rows] / loops[8]:8.2f}" for rows in ROWS))
    print(f"  the rest of a step: {fixed:.2f}, and {per_stream * batch:.2f} that all cores share")
    print(
        f"  {'cores':>5}{'parts':>7}{'predicted':>11}{'measured':>10}   parts of 8 rows or more{'predicted':>11}{'measured':>10}"
    )
    for cores in CORES:
        parts, larger = parts_of_batch(batch, cores, cores), max(1, min(cores, batch // 8))
        chosen, before = (f"{measured[cores][f'step {name}']:.2f}" if cores in measured else "-" for name in (None, 8))
        print(
            f"  {cores:5}{parts:7}{predicted(parts, cores):11.2f}{chosen:>10}   {larger:23}{predicted(larger, cores):11.2f}{before:>10}"
        )


def main() -> None:
    """Prints the tables of each shape."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--on", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not hasattr(os, "sched_setaffinity"):
        parser.error("this system cannot bind a process to cores; run this on Linux")
    if given.on:
        os.sched_setaffinity(0, set(map(int, given.on.split(","))))
        sys.stdout.write(json.dumps(measure(given.shapes[0], given.rounds)))
        return
    for shape in given.shapes:
        show(shape, given.rounds)


if __name__ == "__main__":
    main()
