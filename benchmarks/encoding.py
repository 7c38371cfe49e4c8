"""Does the length of a text matter? Prints encoding in characters per second, and training speed and peak memory at 1 MB and 1 GB.

    python benchmarks/encoding.py [TEXT] [--gigabytes 1] [--workers 3] [--rounds 3]

The synthetic corpus repeats TEXT, with numbered lines in between. Speed and memory are those of a whole run of textgen-train, in its
own process, which scans and encodes the corpus and trains some steps on it. The two lengths alternate, and the fastest round counts.
With --workers, training on the long text is then repeated with that many processes.

Resident memory includes the pages of files that a process has mapped, such as TensorFlow's libraries. Anonymous memory is the rest,
which belongs to the process alone. Both are read from Linux' /proc.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from textgen.corpus import find_sources, open_corpus
from textgen.dataset import encode
from textgen.storage import bundled

SECONDS_BETWEEN_LOOKS = 0.1
STREAMS_OF_A_WORKER = 16
SPEED_CHARACTERS = 12_000_000
STEPS = 600


def repeat(text: str, path: Path, characters: int) -> None:
    """Writes a text repeatedly, with numbered lines in between."""
    with path.open("w", encoding="utf-8") as file:
        written = number = 0
        while written < characters:
            written += file.write(f"{number}\n{text}")
            number += 1


def encoding_speed(path: Path, language_model: str, directory: Path, rounds: int) -> float:
    """Returns the characters per second of encoding alone, the best of several rounds."""
    corpus = open_corpus(find_sources([str(path)], None, None), language_model=language_model)
    best = 0.0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=directory) as cache:
            began = time.perf_counter()
            encode(corpus.train, corpus.vocabulary, Path(cache))
            best = max(best, corpus.train.characters / (time.perf_counter() - began))
    return best


@dataclass(frozen=True)
class Peak:
    """The most memory that a process used, in GB."""

    resident: float = 0.0
    anonymous: float = 0.0

    def __str__(self) -> str:
        """Both figures."""
        return f"{self.resident:.2f} GB resident, {self.anonymous:.2f} GB anonymous"


def watch(process: subprocess.Popen[str]) -> list[Peak]:
    """Waits for a process, and returns its peak and those of the processes that it has started, in the order of their ids."""
    peaks: dict[int, Peak] = {}
    while process.poll() is None:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for pid in (process.pid, *map(int, children)):
                peaks[pid] = look(pid, peaks.get(pid, Peak()))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return [peaks[pid] for pid in sorted(peaks)]


def look(pid: int, before: Peak) -> Peak:
    """Returns the peak of a process until now."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {words[0]: int(words[1]) / 1e6 for words in lines if words[0] in {"VmHWM:", "RssAnon:"}}
    return Peak(found.get("VmHWM:", before.resident), max(found.get("RssAnon:", 0.0), before.anonymous))


def train(path: Path, directory: Path, workers: int = 1) -> tuple[float, float, list[Peak]]:
    """Trains a new job, and returns tokens per second, total seconds, and the memory of each process."""
    command = [sys.executable, "-m", "textgen", "train", str(path), "--max_steps", str(STEPS), "--sample_length", "0"]
    command += ["--json", "--fresh", "--job_dir", str(directory / f"{path.stem}-{workers}-job")]
    if workers > 1:
        command += ["--workers", str(workers), "--batch_size", str(STREAMS_OF_A_WORKER * workers)]
    environment = {**os.environ, "TEXTGEN_CACHE": str(directory)}
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        peaks = watch(process)
        output = process.communicate()[0]
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    found = json.loads(output)
    return found["tokens_per_second"], time.perf_counter() - began, peaks


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", default=str(bundled("data/story.txt")))
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    text = Path(given.text).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "text.txt"
        repeat(text, path, SPEED_CHARACTERS)
        print(f"{os.cpu_count()} cores; best of {given.rounds}")
        for kind in ("char", "word"):
            print(f"encoding, {kind}: {encoding_speed(path, kind, directory, given.rounds) / 1e6:.1f} M characters/s")
        if given.gigabytes:
            compare_lengths(text, directory, given)


def compare_lengths(text: str, directory: Path, given: argparse.Namespace) -> None:
    """Prints speed and memory at 1 MB and at the longer length."""
    paths = {"1 MB": directory / "short.txt", f"{given.gigabytes:g} GB": directory / "long.txt"}
    for path, characters in zip(paths.values(), (1e6, given.gigabytes * 1e9), strict=True):
        repeat(text, path, int(characters))
    rounds = [{size: train(path, directory) for size, path in paths.items()} for _ in range(given.rounds)]
    for size in paths:
        found = [one[size] for one in rounds]
        speed, seconds = max(speed for speed, _, _ in found), [seconds for _, seconds, _ in found]
        peak = max((peaks[0] for _, _, peaks in found), key=lambda peak: peak.resident)
        print(
            f"{size}: {speed:,.0f} tokens/s, peak memory {peak}, {STEPS} steps and everything around them in "
            f"{seconds[0]:.0f} s, with cached ids in {min(seconds):.0f} s"
        )
    if given.workers > 1:
        for number, peak in enumerate(train(path, directory, given.workers)[2]):
            print(f"{size} in {given.workers} processes, {f'worker {number}' if number else 'the chief'}: {peak}")


if __name__ == "__main__":
    main()
