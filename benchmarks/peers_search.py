"""Searches the settings of the tuned GPT of `peers.py`. A change of one setting is kept if the model then learns more in a minute.

    python benchmarks/peers_search.py [TEXT] --torch PYTHON [--minutes 1]

It prints a row of a Markdown table for each run, and the best settings at the end. With a minute for each of its runs, it takes half an
hour. Like `peers.py`, it needs a machine on which nothing else runs. It starts from nanoGPT's settings, without their limit of steps.
"""

import argparse
import os
from typing import Any

from peers import NANOGPT, Limits, train_torch

from textgen.corpus import find_sources, open_corpus
from textgen.storage import bundled

START = {**NANOGPT, "steps": None, "last_share": 0.03}
CHANGES: tuple[dict[str, Any], ...] = (
    {"bfloat16": True},
    {"rotary": True},
    {"learning_rate": 2e-3},
    {"learning_rate": 4e-3},
    {"learning_rate": 6e-3},
    {"width": 192, "heads": 6},
    {"width": 192, "heads": 3},
    {"width": 256, "heads": 4},
    {"batch_size": 8},
    {"batch_size": 16},
    {"batch_size": 24},
    {"block": 128, "batch_size": 6},
    {"block": 128, "batch_size": 12},
    {"layers": 3},
    {"layers": 6},
    {"learning_rate": 3e-3},
    {"learning_rate": 5e-3},
    {"warm_up": 200},
    {"tied": False},
    {"dropout": 0.05},
    {"weight_decay": 0.3},
    {"beta_2": 0.95},
    {"compile": True},
)
"""The changes in the order in which they are tried, each on top of those that were kept."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("text", nargs="?", default=str(bundled("data/story.txt")))
    parser.add_argument("--torch", metavar="PYTHON", required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    given = parser.parse_args()
    corpus = open_corpus(find_sources([given.text], None, None), language_model="char")
    limits = Limits(given.minutes, os.cpu_count() or 1, seed=1, evaluations=1)
    best, lowest = START, float("inf")
    print("| change | validation loss | steps | weights | kept |\n| --- | --- | --- | --- | --- |")
    for change in ({}, *CHANGES):
        settings = {**best, **change}
        if change and settings == best:
            continue
        run = train_torch(given.torch, "gpt", settings, corpus, limits)
        loss = run["points"][-1][1]
        if kept := loss < lowest:
            best, lowest = settings, loss
        changed = ", ".join(f"{name} {value}" for name, value in change.items()) or "nanoGPT's settings"
        print(
            f"| {changed} | {loss:.3f} | {run['steps']:,} | {run['parameters']:,} | {'yes' if kept else ''} |",
            flush=True,
        )
    print(best)


if __name__ == "__main__":
    main()
