"""Compares `textgen eval` in parallel parts with one stream, in turns: speed and total.

On a machine that is busy with other programs, the CPU time shows what an idle one would do: at most the cores divided by the ratio of the
CPU times.

    python benchmarks/evaluating.py [TEXT] [--rounds 3]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as `textgen eval` sets it

import argparse
import time
from math import inf
from pathlib import Path

import numpy as np

from textgen.corpus import count_tokens, make_tokenizer
from textgen.corpus.sections import open_whole
from textgen.corpus.vocabulary import keep_most_frequent
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.model_measures import WARM_UP, predict
from textgen.generation import ModelFile
from textgen.generation.step import LSTMStep
from textgen.machine import available_cores
from textgen.planning import ModelShape
from textgen.storage import bundled

CHARACTERS = 1_000_000


def main() -> None:
    """Prints the best speed of both, the CPU time, their ratio, and the relative difference of the totals."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", type=Path, default=bundled("data/story.txt"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    section = open_whole([given.text])
    tokenizer = make_tokenizer("char")
    vocabulary = keep_most_frequent(count_tokens([section], tokenizer), tokenizer)
    shape = ModelShape.of({"layers": 2, "lstm_state_size": 128}, vocabulary.size)
    rng = np.random.default_rng(1)
    tensors = {name: rng.uniform(-0.1, 0.1, size).astype(np.float32) for name, size in shape.tensors.items()}
    network = LSTMStep(ModelFile(tensors, shape, vocabulary, {}, data_sha256="", step=0, textgen_version=""))
    block = next(iter(count_text(section, vocabulary).blocks(CHARACTERS, WARM_UP)))
    block = block._replace(ids=np.resize(block.ids, CHARACTERS))
    best = {"one stream": [inf, inf], "in parallel": [inf, inf]}
    totals = {}
    for _ in range(given.rounds):
        for name, settings in {"one stream": {"most_parts": 1}, "in parallel": {}}.items():
            wall, cpu = time.perf_counter(), time.process_time()
            found = predict(network, block, **settings)
            seconds = time.perf_counter() - wall, time.process_time() - cpu
            best[name] = list(map(min, best[name], seconds))
            totals[name] = found.nats.sum(dtype=np.float64)
    for name, (wall, cpu) in best.items():
        print(f"{name:12} {CHARACTERS / wall:9,.0f} characters/s, {cpu:5.2f} s of CPU time")
    one, parallel = best.values()
    print(
        f"{one[0] / parallel[0]:.1f} times as fast, with {parallel[1] / one[1]:.2f} times the CPU time, on {available_cores()} cores"
    )
    print(f"the totals differ by {abs(totals['in parallel'] / totals['one stream'] - 1):.1e}")


if __name__ == "__main__":
    main()
