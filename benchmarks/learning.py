"""How good is a model after some minutes? Prints the validation loss of textgen-train.

The text is split into its first 90% and last 10%. The best model of the job is evaluated by two protocols:

- ours: the validation text is read in one go, and the state is carried over
- random blocks of the validation text, each read from a zero state, like nanoGPT's `estimate_loss` with the block size of the
  model: 256 for its GPU preset, 64 for its CPU preset

    python benchmarks/learning.py [TEXT] [--minutes 3] [--seeds 1 2 3] [--plot FILE.svg] [further flags of textgen-train, with =]

`--plot` draws the loss over the minutes; it needs matplotlib (`pip install matplotlib`), which is not a dependency of textgen.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from textgen.corpus import find_sources, open_corpus
from textgen.generation import LSTMStep, ModelFile, read_model
from textgen.storage import bundled

BLOCKS = {256: 5_000, 64: 16_000}
"""The number of random blocks of each size, read as one batch; enough for a mean that is exact to about 0.003 nats."""


def train(job: str, arguments: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Runs textgen-train with its own cache and state, and returns its summary and the records of its evaluations."""
    command = [sys.executable, "-m", "textgen", "train", "--json", "--job_dir", job, *arguments]
    environment = {**os.environ, "TEXTGEN_CACHE": f"{job}-cache", "TEXTGEN_STATE": f"{job}-state"}
    printed = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
    lines = Path(job, "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(printed), [json.loads(line) for line in lines]


def block_loss(model: ModelFile, text: str, size: int, blocks: int) -> float:
    """Returns the mean nats per token of random blocks of a text, each read from a zero state."""
    ids = np.array(model.vocabulary.encode(text), np.int64)
    starts = np.random.default_rng(1).integers(len(ids) - size, size=blocks)
    run = LSTMStep(model).start(blocks)
    nats = 0.0
    for time in range(size):
        logits = run(ids[starts + time]).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        target = ids[starts + time + 1]
        nats += float(np.sum(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(blocks), target]))
    return nats / (size * blocks)


def plot(curves: dict[int, list[tuple[float, float]]], text: str, path: str) -> None:
    """Draws one curve per seed: validation loss over minutes of training."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "textgen"  # the same curves give the same file
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    for seed, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), marker="o", markersize=3, label=f"seed {seed}")
    axes.set_xlabel("minutes of training on two CPU cores")
    axes.set_ylabel("validation loss, nats per character")
    axes.set_title(text)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Prints one line per seed, and the mean."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("text", nargs="?", default=str(bundled("data/story.txt")))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--plot", metavar="FILE.svg")
    given, flags = parser.parse_known_args()
    if not any(flag.startswith("--max_steps") for flag in flags):
        flags += ["--minutes", str(given.minutes)]
    corpus = open_corpus(find_sources([given.text], None, None), language_model="char")
    valid = "".join(corpus.valid.chunks(1 << 16))
    losses: list[list[float]] = []
    curves = {}
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as directory:
            job = f"{directory}/job"
            found, records = train(job, [given.text, "--seed", str(seed), "--sample_length", "0", *flags])
            model = read_model(Path(job, "model.safetensors"))
        blocks = [block_loss(model, valid, size, count) for size, count in BLOCKS.items()]
        curves[seed] = [(record["seconds"] / 60, record["valid_loss"]) for record in records]
        losses.append([model.scores["valid_loss"], *blocks])
        in_blocks = ", ".join(f"{loss:.4f} in blocks of {size}" for size, loss in zip(BLOCKS, blocks, strict=True))
        print(
            f"{given.text}, seed {seed}: {model.scores['valid_loss']:.4f} nats per token, {in_blocks}; "
            f"{model.scores['valid_bits_per_character']:.4f} bits per character; {found['steps']} steps in {found['seconds']:.1f} s, "
            f"{found['tokens_per_second']:,.0f} tokens/s",
            flush=True,
        )
    means = [statistics.mean(column) for column in zip(*losses, strict=True)]
    print(f"mean of {len(losses)}: {means[0]:.4f} nats per token; blocks: {means[1]:.4f}, {means[2]:.4f}")
    if given.plot:
        plot(curves, Path(given.text).name, given.plot)


if __name__ == "__main__":
    main()
