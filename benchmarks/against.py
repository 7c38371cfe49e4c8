"""Is this version slower than another one? Compares sampling and training with a checkout that has its own `.venv`, in turns.

The other version runs in its own environment, with the benchmarks of this one. A ratio above 1 means that this version is faster.
Sampling is measured in CPU time, which depends less on other processes, and training in tokens per second of wall time: the model's own
train function (`ours`) and all of `textgen.training.train` (`program`), as `training_speed.py` measures them. Training takes about a
quarter of an hour.

    python benchmarks/against.py CHECKOUT [sampling|training] [--rounds 3]
"""

import argparse
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sampling import ROUNDS, SIZES, Server, seconds_to_first_character, write_random_model
from training_speed import SHAPES, STORY, run

WRITERS = {"textgen_stream": 50e6, "textgen_batch": 200e6, "textgen_prompt": 100e6}
"""What to measure of sampling, and how many numbers the recurrent matrices have for all characters of a turn."""
TURNS = 20
SIDES = ("ours", "program")
"""What to measure of training."""


def print_sampling(scripts: Sequence[Path]) -> None:
    """Prints how much faster sampling is.

    Args:
        scripts: the folders of the commands of the other version and of this one.
    """
    with tempfile.TemporaryDirectory() as directory:
        for state_size, layers in SIZES:
            path = Path(directory) / f"{state_size}.safetensors"
            write_random_model(path, state_size, layers, one_hot=False)
            print(f"sampling, {layers} layers of {state_size}: best of {TURNS} turns, and median")
            with Server(scripts[0] / "python", path) as other, Server(scripts[1] / "python", path) as this:
                for name, numbers in WRITERS.items():
                    count = int(numbers / (layers * state_size**2))
                    print_ratio(name, [lambda of=of: of.measure(name, count) for of in (other, this)], TURNS)  # noqa: B023 - called at once
            first = [lambda folder=folder: seconds_to_first_character(path, folder)[0] for folder in scripts]  # noqa: B023 - called at once
            print_ratio("first character", first, ROUNDS)


def print_training(scripts: Sequence[Path], rounds: int) -> None:
    """Prints how much faster training is.

    Args:
        scripts: as for `print_sampling`.
        rounds: the number of turns.
    """
    print(f"training, state/layers/window/batch: best of {rounds} turns, and median")
    for shape in SHAPES:
        for side in SIDES:
            seconds = [lambda folder=folder: 1 / run(str(folder / "python"), side, STORY, shape) for folder in scripts]  # noqa: B023 - called at once
            print_ratio(f"{shape} {side}", seconds, rounds)


def print_ratio(name: str, seconds: Sequence[Callable[[], float]], turns: int) -> None:
    """Prints how many times as fast the second of two functions is as the first."""
    found: list[list[float]] = [[], []]
    for turn in range(turns):
        for index in (0, 1) if turn % 2 else (1, 0):
            found[index].append(seconds[index]())
    best, median = ([function(each) for each in found] for function in (min, statistics.median))
    print(f"  {name:24}{best[0] / best[1]:>8.3f} x{median[0] / median[1]:>8.3f} x", flush=True)


def main() -> None:
    """Prints the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", type=Path)
    parser.add_argument("subject", nargs="?", choices=("sampling", "training"))
    parser.add_argument("--rounds", type=int, default=3, help="the turns of each measurement of training")
    given = parser.parse_args()
    scripts = [given.checkout.resolve() / ".venv/bin", Path(sysconfig.get_path("scripts"))]
    if not (scripts[0] / "python").exists():
        sys.exit(f"{scripts[0]} contains no python; install the other version there, as `make setup` does")
    print(f"this version relative to {given.checkout}")
    if given.subject != "training":
        print_sampling(scripts)
    if given.subject != "sampling":
        print_training(scripts, given.rounds)


if __name__ == "__main__":
    main()
