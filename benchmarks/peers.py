"""What do others learn in the same minutes? Compares textgen with PyTorch's LSTM, two GPTs and an n-gram.

Each contestant trains alone, one after another, on the same text, for the same minutes and on the same cores:

- kneser-ney: an n-gram of 6 characters, which takes seconds
- textgen: `textgen-train` from scratch, with the settings that it chooses
- torch-lstm: `torch.nn.LSTM` with the same shape and the same recipe
- tuned-gpt: a GPT with the best settings that a search found for three minutes on two cores, `TUNED`
- nanogpt: a GPT with nanoGPT's settings for a computer without a GPU, `NANOGPT`
- textgen-base: `textgen-train` from the base model, which has learned English before

    python benchmarks/peers.py [TEXT] --torch PYTHON [--minutes 3] [--seeds 1 2] [--cores N] [--only NAME ...]
        [--results peers.json] [--picture peers.svg] [--draw]

The first 90% of the text are for training. Every token of the rest counts, except its first one, in nats per character. An LSTM carries
its state over all of it. A GPT reads blocks that overlap, and always sees at least three quarters of a block before a token that counts.
Minutes are those of training steps, including the time to compile them; start-up and evaluation do not count.

`--torch` names a Python interpreter with PyTorch and matplotlib, which textgen does not need: `python3 -m venv peers-torch`, then
`peers-torch/bin/pip install torch matplotlib`.

The results are written after each run. The same command resumes, and trains only what they lack. `--only` trains the named contestants,
even if the results contain them. `--draw` trains nothing. Other programs that run meanwhile make the comparison worthless, so the table
shows the share of the cores that they took.
"""

import argparse
import functools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from learning import train
from others_share import watch
from peers_results import CONTESTANTS, Results, print_table

from textgen.config import TrainingConfig
from textgen.corpus import Corpus, find_sources, open_corpus
from textgen.evaluation.kneser_ney import KneserNey
from textgen.generation import read_model
from textgen.machine import physical_cores
from textgen.planning import choose, dropout, expected_passes
from textgen.storage import bundled

EVALUATED_STEPS = 300
"""The steps of textgen-train between two evaluations, about ten seconds."""
ORDER = 6
NANOGPT = {
    "layers": 4,
    "heads": 4,
    "width": 128,
    "block": 64,
    "dropout": 0.0,
    "batch_size": 12,
    "steps": 2000,
    "learning_rate": 1e-3,
    "last_share": 0.1,
    "warm_up": 100,
    "weight_decay": 0.1,
    "beta_2": 0.99,
}
"""The settings in the README of nanoGPT for a computer without a GPU, and those of its `config/train_shakespeare_char.py`."""
TUNED = {
    **NANOGPT,
    "rotary": True,
    "bfloat16": True,
    "steps": None,
    "learning_rate": 3e-3,
    "last_share": 0.03,
}
"""The best settings that the search in docs/experiments.md found."""


class Limits(NamedTuple):
    """What is the same for all contestants.

    Attributes:
        minutes: the training time.
        cores: the number of cores and of threads.
        seed: decides the random numbers.
        evaluations: how often the contestants in PyTorch are evaluated, at even distances.
    """

    minutes: float
    cores: int
    seed: int
    evaluations: int = 12


def train_textgen(text: str, init: str, limits: Limits) -> dict[str, Any]:
    """Runs textgen-train with the settings that it chooses.

    Args:
        text: the path of the text.
        init: the model to start from.
        limits: the limits.
    """
    flags = [f"--init_from={init}", f"--minutes={limits.minutes}", f"--seed={limits.seed}", "--sample_length=0"]
    with tempfile.TemporaryDirectory() as directory:
        job = f"{directory}/job"
        found, records = train(job, [text, *flags, f"--eval_steps={EVALUATED_STEPS}"])
        model = read_model(Path(job, "model.safetensors"))
    return {
        "points": [(record["seconds"], record["valid_loss"]) for record in records],
        "steps": found["steps"],
        "seconds": found["seconds"],
        "parameters": model.shape.parameters,
    }


def train_torch(python: str, kind: str, settings: Mapping[str, Any], corpus: Corpus, limits: Limits) -> dict[str, Any]:
    """Runs `peers_torch.py` with the interpreter that has PyTorch.

    Args:
        python: the interpreter.
        kind: `lstm` or `gpt`.
        settings: those of that kind.
        corpus: the text.
        limits: the limits.
    """
    task = {
        "kind": kind,
        "settings": settings,
        "vocabulary": corpus.vocabulary.size,
        "seconds": limits.minutes * 60,
        "evaluations": limits.evaluations,
        "seed": limits.seed,
        "threads": limits.cores,
    }
    with tempfile.TemporaryDirectory() as directory:
        text = Path(directory, "text.npz")
        np.savez(text, train=encode(corpus, "train"), valid=encode(corpus, "valid"))
        command = [python, str(Path(__file__).with_name("peers_torch.py"))]
        given = json.dumps({**task, "text": str(text)})
        printed = subprocess.run(command, check=True, input=given, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(printed)
    return {**found, "settings": settings}


def count_ngrams(corpus: Corpus) -> dict[str, Any]:
    """Learns a Kneser-Ney n-gram and evaluates it once."""
    learned, valid = encode(corpus, "train"), encode(corpus, "valid")
    began = time.perf_counter()
    model = KneserNey(learned, ORDER, corpus.vocabulary.size)
    seconds = round(time.perf_counter() - began, 2)
    return {"points": [(seconds, float(model.nats(valid)[1:].mean()))], "seconds": seconds}


def encode(corpus: Corpus, section: str) -> np.ndarray:
    """Returns the token ids of a section of the text."""
    return np.array(corpus.vocabulary.encode("".join(getattr(corpus, section).chunks(1 << 16))), np.int64)


def choose_recipe(characters: int, minutes: float) -> dict[str, Any]:
    """Returns the settings that textgen-train chooses from scratch on a CPU, with the dropout that it starts with."""
    cores = len(physical_cores())
    choices = choose(minutes, characters, "char", "cpu", unroll_steps=TrainingConfig().unroll_steps, cores=cores)
    settings = {name: value for choice in choices for name, value in choice.settings.items()}
    passes = expected_passes(TrainingConfig(minutes=minutes, **settings), characters, "cpu", cores)
    return {"epochs": None, **settings, "dropout": dropout(passes, characters, "char", started=False)}


def contestants(text: str, corpus: Corpus, python: str | None) -> dict[str, Callable[[Limits], dict[str, Any]]]:
    """Returns what trains each contestant. Without an interpreter with PyTorch, those that need it are left out.

    Args:
        text: the path of the text.
        corpus: the text.
        python: the interpreter.
    """
    found = {
        "kneser-ney": lambda _: count_ngrams(corpus),
        "textgen": lambda limits: train_textgen(text, "none", limits),
        "textgen-base": lambda limits: train_textgen(text, "base", limits),
    }
    if python:
        recipe = lambda limits: choose_recipe(corpus.train.characters, limits.minutes)  # noqa: E731
        found |= {
            "torch-lstm": lambda limits: train_torch(python, "lstm", recipe(limits), corpus, limits),
            "tuned-gpt": lambda limits: train_torch(python, "gpt", TUNED, corpus, limits),
            "nanogpt": lambda limits: train_torch(python, "gpt", NANOGPT, corpus, limits),
        }
    return {name: found[name] for name in CONTESTANTS if name in found}


def train_all(given: argparse.Namespace) -> Results:
    """Trains what the results lack, and returns all results."""
    cores = use_cores(given.cores)
    corpus = open_corpus(find_sources([given.text], None, None), language_model="char")
    setting = {"text": Path(given.text).name, "sha256": corpus.sha256, "minutes": given.minutes, "cores": cores}
    results = Results(given.results, setting)
    known = contestants(given.text, corpus, given.torch)
    wanted = given.only or CONTESTANTS
    if missing := [name for name in wanted if name not in known]:
        print(
            f"left out, because they need PyTorch: {', '.join(missing)}; name its interpreter with --torch", flush=True
        )
    machine = {"processor": processor(), "python": platform.python_version()}
    machine |= {package: version(package) for package in ("tensorflow", "keras", "numpy")}
    for seed in given.seeds:
        for name, train_one in known.items():
            if name in wanted and (given.only or not results.has(name, seed)):
                run = watch(functools.partial(train_one, Limits(given.minutes, cores, seed)))
                results.add({"contestant": name, "seed": seed, **run, "machine": machine})
                print(f"{name}, seed {seed}: {min(loss for _, loss in run['points']):.4f}", flush=True)
    return results


def use_cores(cores: int | None) -> int:
    """Keeps this process and all that it starts on N cores, or on all that it may use, and returns their number."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if cores is not None and not 1 <= cores <= len(usable):
        sys.exit(f"--cores must be between 1 and {len(usable)}, got {cores}")
    if cores is not None and cores < len(usable):
        if not hasattr(os, "sched_setaffinity"):
            sys.exit("--cores needs Linux; leave it out to use all cores")
        os.sched_setaffinity(0, usable[:cores])
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(cores)
    number = cores or len(usable)
    os.environ["OMP_NUM_THREADS"] = str(number)
    return number


def processor() -> str:
    """Returns the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Trains, prints a table, and draws a picture."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("text", nargs="?", default=str(bundled("data/story.txt")))
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--cores", type=int)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, metavar="NAME")
    parser.add_argument("--results", type=Path, default=Path("peers.json"))
    parser.add_argument("--picture", type=Path, default=Path("peers.svg"))
    parser.add_argument("--draw", action="store_true")
    given = parser.parse_args()
    results = Results(given.results, None) if given.draw else train_all(given)
    print_table(results)
    command = [given.torch or sys.executable, str(Path(__file__).with_name("peers_picture.py"))]
    sys.exit(subprocess.run([*command, str(given.results), str(given.picture)], check=False).returncode)


if __name__ == "__main__":
    main()
