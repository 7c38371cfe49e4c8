"""How long does it take from Enter to the first training step? Runs the demo on its own terminal, as a person sees it.

    python benchmarks/starting.py [--rounds 5] [further flags of textgen-train]

Prints the times, each the fastest of all rounds, until the plan is shown, until TensorFlow is loaded and the device is known, and until
the first steps are made. From the second round on, the files are in the system's cache, as after any import of TensorFlow.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

MOMENTS = {"the plan": rb"textgen \d", "TensorFlow is loaded": rb"Training on", "the first step": rb"step \d+ +loss"}


def moments(arguments: list[str], directory: str) -> list[float]:
    """Returns the seconds from the start of the process to each moment, and then stops the run."""
    terminal, side_of_process = os.openpty()
    began = time.perf_counter()
    command = [sys.executable, "-m", "textgen", "train", "--config", "demo", *arguments]
    process = subprocess.Popen(
        command, cwd=directory, stdin=side_of_process, stdout=side_of_process, stderr=side_of_process
    )
    shown, found = b"", []
    os.close(side_of_process)
    try:
        for pattern in MOMENTS.values():
            while not re.search(pattern, shown):
                shown += os.read(terminal, 4096)
            found.append(time.perf_counter() - began)
    except OSError:  # the other end is closed
        raise SystemExit(f"textgen-train ended too early:\n{shown.decode(errors='replace')}") from None
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    return found


def main() -> None:
    """Prints one line per moment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    given, flags = parser.parse_known_args()
    rounds = []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as directory:
            rounds.append(moments(flags, directory))
    for name, times in zip(MOMENTS, zip(*rounds, strict=True), strict=True):
        print(f"{name:22}{min(times):6.2f} s")


if __name__ == "__main__":
    main()
