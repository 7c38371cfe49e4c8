"""Does the length of a text matter? Prints encoding in characters per second, and training speed and peak memory at 1 MB and 1 GB.

    python benchmarks/encoding.py [TEXT] [--gigabytes 1]

The synthetic corpus repeats TEXT, with numbered lines in between. Speed and memory are those of a whole run of textgen-train, in its
own process, which scans and encodes the corpus and trains some steps on it. The two lengths alternate, and the fastest round counts.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
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
STEPS = 600


def repeat(text: str, path: Path, characters: int) -> None:
    """Writes a text repeatedly, with numbered lines in between."""
    with path.open("w", encoding="utf-8") as file:
        written = number = 0
        while written < characters:
            written += file.write(f"{number}\n{text}")
            number += 1


def encoding_speed(path: Path, language_model: str, directory: Path) -> float:
    """Returns the characters per second of encoding alone, the best of several rounds."""
    corpus = open_corpus(find_sources([str(path)], None, None), language_model=language_model)
    best = 0.0
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=directory) as cache:
            began = time.perf_counter()
            encode(corpus.train, corpus.vocabulary, Path(cache))
            best = max(best, corpus.train.characters / (time.perf_counter() - began))
    return best


MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE, text=True)
print(json.dumps({**json.loads(done.stdout), "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6}))
"""


def train(path: Path, directory: Path) -> tuple[float, float, float]:
    """Trains a new job, and returns tokens per second, total seconds, and peak memory in GB."""
    command = [sys.executable, "-m", "textgen", "train", str(path), "--max_steps", str(STEPS), "--sample_length", "0"]
    command += ["--json", "--fresh", "--job_dir", str(directory / f"{path.stem}-job")]
    environment = {**os.environ, "TEXTGEN_CACHE": str(directory)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    found = json.loads(done.stdout)
    return found["tokens_per_second"], time.perf_counter() - began, found["peak"]


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
            paths = {"1 MB": directory / "short.txt", f"{given.gigabytes:g} GB": directory / "long.txt"}
            for path, characters in zip(paths.values(), (1e6, given.gigabytes * 1e9), strict=True):
                repeat(text, path, int(characters))
            rounds = [{size: train(path, directory) for size, path in paths.items()} for _ in range(ROUNDS)]
            for size in paths:
                speed, peak = max(one[size][0] for one in rounds), max(one[size][2] for one in rounds)
                print(
                    f"{size}: {speed:,.0f} tokens/s, peak memory {peak:.2f} GB, {STEPS} steps and everything around them in "
                    f"{rounds[0][size][1]:.0f} s, with cached ids in {min(one[size][1] for one in rounds):.0f} s"
                )


if __name__ == "__main__":
    main()
