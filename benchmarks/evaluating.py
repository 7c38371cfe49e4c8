"""Compares `textgen eval` in parallel parts with one stream, in the same run: speed and total.

Usage: python benchmarks/evaluating.py [TEXT]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as `textgen eval` sets it

import sys
import time
from pathlib import Path

import numpy as np

from textgen.corpus import count_tokens, make_tokenizer
from textgen.corpus.sections import open_whole
from textgen.corpus.vocabulary import keep_most_frequent
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.model_measures import WARM_UP, predict
from textgen.generation import ModelFile
from textgen.generation.step import LSTMStep
from textgen.planning import ModelShape
from textgen.storage import bundled

CHARACTERS = 1_000_000
ROUNDS = 3


def main() -> None:
    """Prints both speeds, their ratio, and the relative difference of the totals."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else bundled("data/story.txt")
    section = open_whole([path])
    tokenizer = make_tokenizer("char")
    vocabulary = keep_most_frequent(count_tokens([section], tokenizer), tokenizer)
    shape = ModelShape.of({"layers": 2, "lstm_state_size": 128}, vocabulary.size)
    rng = np.random.default_rng(1)
    tensors = {name: rng.uniform(-0.1, 0.1, size).astype(np.float32) for name, size in shape.tensors.items()}
    network = LSTMStep(ModelFile(tensors, shape, vocabulary, {}, data_sha256="", step=0, textgen_version=""))
    block = next(iter(count_text(section, vocabulary).blocks(CHARACTERS, WARM_UP)))
    block = block._replace(ids=np.resize(block.ids, CHARACTERS))
    for _ in range(ROUNDS):
        start = time.perf_counter()
        one = predict(network, block, most_parts=1)
        middle = time.perf_counter()
        many = predict(network, block)
        end = time.perf_counter()
        speeds = [CHARACTERS / seconds for seconds in (middle - start, end - middle)]
        totals = [each.nats.sum(dtype=np.float64) for each in (one, many)]
        print(
            f"one stream {speeds[0]:,.0f} tokens/s, in parallel {speeds[1]:,.0f} tokens/s, {speeds[1] / speeds[0]:.1f} times as fast; "
            f"totals differ by {abs(totals[1] / totals[0] - 1):.1e}"
        )


if __name__ == "__main__":
    main()
