"""What do several processes gain, and what does the exchange of their gradients cost? Prints the tables of docs/scale.md, in Markdown.

    python benchmarks/distributed.py [--text TEXT] [--steps 300] [--rounds 1]

A shape is states/layers/window/streams. Every process has one core, so the machine needs two. The third process, which shares a core, only
shows that the bytes and the weights are as expected.

*Half* is one process with half of the streams, which is what each of two processes computes. What their step takes longer is the exchange. A
model of it (`exchange.py`) is fitted to steps of few tokens, and then predicts the steps of other shapes. The fastest of all rounds counts, because
other programs on the machine only ever make a run slower.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from exchange import FLOAT_BYTES, Exchange, fit, least_tokens, ring_bytes
from others_share import watch
from several_processes import Run, train
from starting import moments

from textgen.config import TrainingConfig
from textgen.planning import Plan

SHAPES_TO_FIT = ("128/1/8/4", "256/1/8/4", "512/1/8/4", "1024/1/8/4")
STEPS_TO_FIT = 200
SHAPES_TO_PREDICT = ("384/1/64/12", "128/2/50/48")
SHAPE_OF_ONE = "384/1/64/16"
RUNS = {"one": {}, "half": {"share": 2}, "two": {"workers": 2}}

SHARE = 0.2
"""The share of the exchange in a step for which the least tokens are printed."""
ASSUMED_OPERATIONS = 30e12
"""The floating-point operations per second that a GPU is assumed to sustain in training."""
NETWORKS = (10, 32, 100)
"""In gigabits per second."""
STATES = (1024, 4096)
"""Of the models whose exchange by these networks is computed. They have two layers."""
VOCABULARY = 100


def print_table(*rows: Sequence[str]) -> None:
    """Prints a table, with its head first."""
    head, *others = rows
    for row in (head, ["---"] * len(head), *others):
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def measure(text: str, shape: str, steps: int, rounds: int, names: Sequence[str]) -> list[Run]:
    """Returns the fastest of each of the named runs, which are made in turn."""
    made = [[train(text, shape, steps, **RUNS[name]) for name in names] for _ in range(rounds)]
    return [min(runs, key=lambda run: run.seconds_per_step) for runs in zip(*made, strict=True)]


def report_start(rounds: int) -> None:
    """Prints how long it takes from Enter to the first step of the demo, on all cores."""
    times = []
    for workers in (1, 2):
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as directory:
                found.append(moments([f"--workers={workers}"], directory)[-1])
        times.append(f"{min(found):.1f} s")
    print_table(["", "one process", "two"], ["from Enter to the first step of the demo", *times])


def report_exchange(text: str, rounds: int) -> Exchange:
    """Prints the time of the exchange for models of several sizes, and returns the model that fits best."""
    measured = []
    for shape in SHAPES_TO_FIT:
        half, two = measure(text, shape, STEPS_TO_FIT, rounds, ["half", "two"])
        measured.append((two.parameters, two.seconds_per_step - half.seconds_per_step))
    exchange = fit(measured)
    print_table(
        ["few tokens per step", "parameters", "exchange, measured", "fitted"],
        *(
            [shape, f"{count:,}", milliseconds(seconds), milliseconds(exchange.seconds(count, 2))]
            for shape, (count, seconds) in zip(SHAPES_TO_FIT, measured, strict=True)
        ),
    )
    print(
        f"The fit has a latency of {milliseconds(exchange.latency)} per message, and a bandwidth of {exchange.bandwidth / 1e9:.2f} GB/s.\n"
    )
    return exchange


def report_shapes(text: str, steps: int, rounds: int, exchange: Exchange) -> None:
    """Prints speed, exchange, bytes and weights for each of the shapes to predict."""
    columns = [describe_shape(text, shape, steps, rounds, exchange) for shape in SHAPES_TO_PREDICT]
    print_table(["", *SHAPES_TO_PREDICT], *([row, *(column[row] for column in columns)] for row in columns[0]))


def describe_shape(text: str, shape: str, steps: int, rounds: int, exchange: Exchange) -> dict[str, str]:
    """Returns the cells of a shape by the names of their rows."""
    one, half, two = measure(text, shape, steps, rounds, ["one", "half", "two"])
    three = train(text, shape, steps, workers=3)
    parameters = one.parameters
    predicted = half.seconds_per_step + exchange.seconds(parameters, 2)
    least = exchange.seconds(parameters, 2) * (1 / SHARE - 1) * half.tokens_per_second
    cells = {
        "parameters": f"{parameters:,}",
        "a step of one process": describe_speed(one),
        "of half": describe_speed(half),
        "of two": describe_speed(two),
        "of two, predicted": f"{milliseconds(predicted)} ({predicted / two.seconds_per_step - 1:+.0%})",
        "speed of two": f"{two.tokens_per_second / one.tokens_per_second:.2f} x one",
        "share of the exchange in a step of two": f"{1 - half.seconds_per_step / two.seconds_per_step:.0%}",
        f"tokens per process from which it is {SHARE:.0%}": f"{least:,.0f}",
    }
    for name, workers, run in (("two", 2, two), ("three", 3, three)):
        ring = workers * ring_bytes(parameters, workers)
        cells[f"bytes that {name} send in a step (a ring)"] = f"{run.bytes_per_step:,.0f} ({ring:,.0f})"
        cells[f"largest difference between a weight of {name} and of one"] = f"{one.largest_difference(run):.1e}"
    cells["bytes that two send per second"] = f"{two.bytes_per_step / two.seconds_per_step / 1e6:,.0f} MB"
    return cells


def describe_speed(run: Run) -> str:
    """Returns the speed of a run in words."""
    return f"{milliseconds(run.seconds_per_step)}, {run.tokens_per_second:,.0f} tokens/s"


def milliseconds(seconds: float) -> str:
    """Returns a time in milliseconds, with its unit."""
    return f"{1000 * seconds:.2f} ms"


def report_strategy() -> None:
    """Prints what a distribution strategy of one device costs, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("strategy_of_one.py")), SHAPE_OF_ONE]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = json.loads(done.stdout)
    baseline = found["no strategy"]
    times = [f"{milliseconds(seconds)} ({seconds / baseline - 1:+.1%})" for seconds in found.values()]
    print_table(["one device", *found], [f"a step of {SHAPE_OF_ONE}", *times])


def report_networks(exchange: Exchange) -> None:
    """Prints what other networks would make of larger models, for many processes and GPUs of an assumed speed. This is computed.

    Args:
        exchange: the one between processes on this machine, for comparison.
    """
    sizes = [
        Plan(TrainingConfig(lstm_state_size=states, layers=2, embedding_size=states), VOCABULARY).shape.parameters
        for states in STATES
    ]
    bandwidths = {
        f"the measured {exchange.bandwidth / 1e9:.2f} GB/s": exchange.bandwidth,
        **{f"{gigabits} Gbit/s": gigabits * 1e9 / 8 for gigabits in NETWORKS},
    }
    rows = []
    for name, bandwidth in bandwidths.items():
        times = (f"{1000 * 2 * FLOAT_BYTES * size / bandwidth:,.0f} ms" for size in sizes)
        rows.append([name, *times, f"{least_tokens(ASSUMED_OPERATIONS, bandwidth, SHARE):,.0f}"])
    head = ["network", *(f"exchange of {size / 1e6:.0f} million parameters" for size in sizes)]
    print_table([*head, f"tokens per step and GPU for s = {SHARE}"], *rows)


def report(text: str, steps: int, rounds: int) -> dict[str, float]:
    """Prints one table after the other, and returns the latency and the bandwidth of the exchange."""
    report_start(rounds)
    exchange = report_exchange(text, rounds)
    report_shapes(text, steps, rounds, exchange)
    report_strategy()
    report_networks(exchange)
    return asdict(exchange)


def main() -> None:
    """Prints the tables, and which share of the cores other programs took meanwhile."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", default=str(Path(__file__).parents[1] / "data" / "story.txt"))
    parser.add_argument("--steps", type=int, default=300, help="the steps of a run that is predicted")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores, {given.steps} steps, best of {given.rounds}\n")
    taken = watch(lambda: report(given.text, given.steps, given.rounds))
    print(f"{taken['wall_seconds']:.0f} s; other programs took {taken['others']:.0%} of the cores")


if __name__ == "__main__":
    main()
