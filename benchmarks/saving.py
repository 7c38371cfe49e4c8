"""What do checkpoints cost? Prints the fraction of training time, the time for a large checkpoint, and the time to resume.

python benchmarks/saving.py [--minutes 1] [further flags of textgen-train for all runs, with =]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from textgen.jobs import Checkpoint, CheckpointStore

MEGABYTES = 50
REPEATS = 5

_TIMED_RUN = """
import sys, time
from textgen.training.checkpointing import SaveCheckpoints
from textgen.cli.train import main

save, spent = SaveCheckpoints._save, []

def timed(self, **options):
    began = time.perf_counter()
    save(self, **options)
    spent.append(time.perf_counter() - began)
    timed.seconds = self._control.progress.seconds

SaveCheckpoints._save = timed
main(sys.argv[1:])
print(len(spent), sum(spent), timed.seconds)
"""


def main() -> None:
    """Prints one line per question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1.0)
    given, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as place:
        print_share(Path(place), given.minutes, flags)
        print_checkpoint(Path(place))
        print_resuming(Path(place), flags)


def print_share(place: Path, minutes: float, flags: list[str]) -> None:
    """Trains on the bundled story and times the saves."""
    arguments = [f"--minutes={minutes}", f"--job_dir={place}/share", *flags]
    printed = run([sys.executable, "-c", _TIMED_RUN, *arguments], place)
    saves, spent, seconds = (float(number) for number in printed.split())
    print(
        f"saving: {saves:.0f} saves of {1000 * spent / saves:.0f} ms in {seconds:.0f} s of training, {spent / seconds:.2%}; "
        f"with one save per 5 minutes, the default between evaluations, {spent / saves / 300:.3%}",
        flush=True,
    )


def print_checkpoint(place: Path) -> None:
    """Writes a large checkpoint, and reads it back, which also verifies it."""
    rng = np.random.default_rng(1)
    tensors = {f"tensor {number}": rng.normal(size=(1000, 1250)).astype(np.float32) for number in range(MEGABYTES // 5)}
    store = CheckpointStore(place / "checkpoints")
    written, read = [], []
    for step in range(REPEATS):
        began = time.perf_counter()
        store.write(Checkpoint(step, tensors, {}))
        written.append(time.perf_counter() - began)
        began = time.perf_counter()
        store.read(step)
        read.append(time.perf_counter() - began)
    print(
        f"a checkpoint of {MEGABYTES} MB, the best of {REPEATS}: written in {min(written):.2f} s, "
        f"read and verified in {min(read):.2f} s",
        flush=True,
    )


def print_resuming(place: Path, flags: list[str]) -> None:
    """Trains one step in a new job and one more by resuming it, alternating."""
    fresh, again = [], []
    for number in range(3):
        for steps, seconds in ((1, fresh), (2, again)):
            arguments = [f"--max_steps={steps}", "--sample_length=0", f"--job_dir={place}/start-{number}", *flags]
            began = time.perf_counter()
            run([sys.executable, "-m", "textgen", "train", *arguments], place)
            seconds.append(time.perf_counter() - began)
    print(
        f"a run of one step, the best of {len(fresh)}: new {min(fresh):.1f} s, resumed {min(again):.1f} s, "
        f"{min(again) - min(fresh):+.1f} s",
        flush=True,
    )


def run(command: list[str], place: Path) -> str:
    """Returns the output of a command, which has its own cache."""
    environment = {**os.environ, "TEXTGEN_CACHE": str(place / "cache")}
    return subprocess.run(
        command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


if __name__ == "__main__":
    main()
