"""How fast does text become ids, and does memory stay bounded? Encoding in characters a second; peak memory at 1 GB.

    python benchmarks/encoding.py [TEXT] [--gigabytes 1]

The synthetic corpus repeats TEXT with numbered lines between. The memory is that of a whole textgen-train that scans,
encodes and learns some steps of it, in a process of its own.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from textgen.corpus import find_sources, open_corpus
from textgen.dataset import encode
from textgen.storage import bundled

ROUNDS = 3
SPEED_CHARACTERS = 12_000_000


def repeat(text: str, path: Path, characters: int) -> None:
    """Writes a text over and over, with numbered lines between."""
    with path.open("w", encoding="utf-8") as file:
        written = number = 0
        while written < characters:
            written += file.write(f"{number}\n{text}")
            number += 1


def encoding_speed(path: Path, language_model: str, directory: Path) -> float:
    """Characters a second of the encoding alone, best of several."""
    corpus = open_corpus(find_sources([str(path)], None, None), language_model=language_model)
    best = 0.0
    for number in range(ROUNDS):
        began = time.perf_counter()
        encode(corpus.train, corpus.vocabulary, f"{corpus.sha256} {number}", directory)
        best = max(best, corpus.train.characters / (time.perf_counter() - began))
    return best


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", default=str(bundled("data/story.txt")))
    parser.add_argument("--gigabytes", type=float, default=1.0)
    given = parser.parse_args()
    text = Path(given.text).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "text.txt"
        repeat(text, path, SPEED_CHARACTERS)
        print(f"{os.cpu_count()} cores; best of {ROUNDS}")
        for kind in ("char", "word"):
            print(f"encoding, {kind}: {encoding_speed(path, kind, directory) / 1e6:.1f} M characters/s")
        if given.gigabytes:
            repeat(text, path, int(given.gigabytes * 1e9))
            command = [
                sys.executable,
                "-m",
                "textgen",
                "train",
                str(path),
                "--max_steps",
                "200",
                "--eval_steps",
                "100",
            ]
            began = time.perf_counter()
            environment = {**os.environ, "TEXTGEN_CACHE": name}
            subprocess.run([*command, "--job_dir", str(directory / "job")], check=True, env=environment)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
            size = path.stat().st_size / 1e9
            print(f"{size:.2f} GB: {time.perf_counter() - began:.0f} s in all, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
