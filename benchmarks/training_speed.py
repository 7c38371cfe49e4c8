"""How fast is training? Compares textgen-train with torch.nn.LSTM and stock Keras, at the same shapes.

All of them learn the same windows of the same text, with an embedding as wide as the state, AdamW, clipping and a state that is
carried over. Each runs in its own process. They alternate, and the fastest of all rounds counts, because other programs on the
machine only ever make a run slower. textgen is measured twice: the model's own train function, as for the others, and the steps of
`textgen.training.train`, with data pipeline, callbacks, TensorBoard and progress.

Next to each speed is the share of the peak: the operations that the model needs, per second, relative to those of large float32 products on as
many cores, in TensorFlow or PyTorch, whichever is faster (`peak_of_products.py`). The same operations are counted for all programs, so a program
that makes more of them has a smaller share.

    python benchmarks/training_speed.py [TEXT] [--torch PYTHON] [--rounds 3] [--cores] [--sizes] [--loops]

`--torch` names a Python interpreter with PyTorch (`pip install torch`), which is not a dependency of textgen; without it, PyTorch is
left out. `--cores` measures fewer cores too, `--sizes` measures several state sizes, and `--loops` compares textgen with loops over
time that XLA compiles and with TensorFlow's own.
"""

import argparse
import dataclasses
import functools
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peak_of_products import OPERATIONS_PER_WEIGHT, tensorflow_peak, torch_peak, weights_per_token

STORY = str(Path(__file__).parents[1] / "data" / "story.txt")
SHAPES = ("128/2/50/50", "256/2/64/64", "512/2/100/64", "384/1/64/16")
SIZES = ("64/1/64/16", "128/1/64/16", "256/1/64/16", "384/1/64/16", "512/1/64/16", "768/1/64/16", "1024/1/64/16")
SECONDS = 4.0
"""The approximate training time of each round, after the first steps."""
FIRST_STEPS = 20
PEAK_SIZE = 1024


def windows(text: str, shape: str) -> tuple[Any, Any, int]:
    """Returns tokens and targets, `(steps, batch_size, unroll_steps)` int32, of the text split into streams, and the vocabulary size."""
    import numpy as np

    _, _, window, batch = map(int, shape.split("/"))
    characters = Path(text).read_text(encoding="utf-8")
    alphabet = {character: number + 2 for number, character in enumerate(sorted(set(characters)))}
    ids = np.array([alphabet[character] for character in characters], np.int32)
    steps = (len(ids) - 1) // (batch * window)
    whole = [
        np.reshape(part[: steps * batch * window], (batch, steps, window)).swapaxes(0, 1) for part in (ids, ids[1:])
    ]
    return np.ascontiguousarray(whole[0]), np.ascontiguousarray(whole[1]), len(alphabet) + 2


def torch_side(text: str, shape: str) -> Callable[[int], None]:
    """Returns a function that makes N steps with torch.nn.LSTM."""
    import torch
    from torch import nn

    size, layers, _, _ = map(int, shape.split("/"))
    tokens, targets, vocabulary = windows(text, shape)
    embedding, lstm, output = nn.Embedding(vocabulary, size), nn.LSTM(size, size, layers), nn.Linear(size, vocabulary)
    weights = [weight for part in (embedding, lstm, output) for weight in part.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=0.004, betas=(0.9, 0.99), fused=True)
    # Time first, which is PyTorch's own order and its fastest.
    x, y = (torch.from_numpy(part.swapaxes(1, 2).copy()).long() for part in (tokens, targets))
    state, position = None, 0

    def train(steps: int) -> None:
        nonlocal state, position
        for _ in range(steps):
            optimizer.zero_grad()
            hidden, state = lstm(embedding(x[position]), state)
            state = tuple(part.detach() for part in state)
            loss = nn.functional.cross_entropy(output(hidden).flatten(0, 1), y[position].flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            position = (position + 1) % len(x)
        loss.item()

    return train


def keras_side(text: str, shape: str) -> Callable[[int], None]:
    """Returns a function that makes N steps with stock Keras layers in `fit`, ten per call of TensorFlow."""
    import keras
    import tensorflow as tf

    size, layers, _, _ = map(int, shape.split("/"))
    tokens, targets, vocabulary = windows(text, shape)
    inputs = keras.Input(batch_shape=tokens.shape[1:], dtype="int32")
    hidden = keras.layers.Embedding(vocabulary, size)(inputs)
    for _ in range(layers):
        hidden = keras.layers.LSTM(size, return_sequences=True, stateful=True)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(vocabulary)(hidden))
    model.compile(
        keras.optimizers.AdamW(0.004, beta_2=0.99, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
        steps_per_execution=10,
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    data = tf.data.Dataset.from_tensor_slices((tokens, targets)).repeat().prefetch(4).with_options(options)

    def train(steps: int) -> None:
        model.fit(data, steps_per_epoch=max(10, steps // 10 * 10), verbose=0, shuffle=False)

    return train


def our_side(text: str, shape: str, **settings: Any) -> Callable[[int], None]:
    """Returns a function that makes N steps with our model's train function, ten per call of TensorFlow."""
    import tensorflow as tf

    from textgen.training.attempt import compile_model

    config = make_config(shape, dropout=0.0, **settings)
    tokens, targets, vocabulary = windows(text, shape)
    model = compile_model(config, vocabulary)
    keep = tf.ones((len(tokens), config.batch_size, 1))
    data = tf.data.Dataset.from_tensor_slices(({"tokens": tokens, "keep": keep}, targets)).repeat().prefetch(4)
    model.make_train_function()
    iterator, train_function = iter(data), model.train_function

    def train(steps: int) -> None:
        for begin in range(0, steps, 10):
            model.next_rates = [0.004] * min(10, steps - begin)
            logs = train_function(iterator)
        float(logs["loss"])

    return train


def our_side_with(compiled: bool, text: str, shape: str) -> Callable[[int], None]:
    """Returns the same with loops over time that are always or never compiled."""
    from textgen.model import batch_parts

    choose = batch_parts.choose_loop
    batch_parts.choose_loop = lambda units, streams: choose(units, streams)._replace(compiled=compiled)
    return our_side(text, shape)


def make_config(shape: str, **settings: Any) -> Any:
    """Returns the settings of a shape, with an embedding as wide as the state."""
    from textgen.config import TrainingConfig

    size, layers, window, batch = map(int, shape.split("/"))
    return TrainingConfig(
        lstm_state_size=size, layers=layers, unroll_steps=window, batch_size=batch, embedding_size=size, **settings
    )


def program_speed(text: str, shape: str) -> float:
    """Returns the tokens per second of textgen-train's fit loop, with the memory pool that the command turns on.

    Start-up, evaluations and the last save are left out. Of three spans of time, the fastest counts, as for the other programs.
    """
    os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "true"
    import keras
    from rich.console import Console as RichConsole

    from textgen.console import Console
    from textgen.corpus import find_sources, open_corpus
    from textgen.jobs import JobDirectory
    from textgen.signals import Signals
    from textgen.training import train

    class Clock(keras.callbacks.Callback):
        """Notes when each call of steps begins, and ends training when there are enough."""

        def __init__(self) -> None:
            super().__init__()
            self.steps = 0
            self.begins: list[tuple[float, int]] = []

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            del batch, logs
            if self.steps >= FIRST_STEPS:
                self.begins.append((time.perf_counter(), self.steps))
            self.steps += len(self.model.next_rates)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del batch, logs
            if self.begins and time.perf_counter() - self.begins[0][0] > SECONDS:
                self.model.stop_training = True

    corpus = open_corpus(find_sources([text], None, None), language_model="char")
    console = Console()
    console.rich = RichConsole(file=io.StringIO())
    clock = Clock()
    with tempfile.TemporaryDirectory() as name, Signals() as signals:
        job = JobDirectory(Path(name) / "job")
        (Path(name) / "ids").mkdir()
        train(
            dataclasses.replace(make_config(shape, dropout=0.0, sample_length=0), epochs=1000),
            corpus,
            job,
            summary_dir=job.logs,
            ids_directory=Path(name) / "ids",
            signals=signals,
            console=console,
            callbacks=[clock],
        )
    _, _, window, batch = map(int, shape.split("/"))
    ends = [clock.begins[index * (len(clock.begins) - 1) // 3] for index in range(4)]
    spans = itertools.pairwise(ends)
    return max((last - first) * window * batch / (end - begin) for (begin, first), (end, last) in spans if last > first)


SIDES = {
    "torch": torch_side,
    "keras": keras_side,
    "ours": our_side,
    "compiled": functools.partial(our_side_with, True),
    "uncompiled": functools.partial(our_side_with, False),
}


PEAKS = {"tensorflow_peak": tensorflow_peak, "torch_peak": torch_peak}


def measure(side: str, text: str, shape: str) -> float:
    """Measures one program in this process.

    Returns:
        Its tokens per second, the best of three runs, or of one if it takes long; of a peak, the operations per second.
    """
    _, _, window, batch = map(int, shape.split("/"))
    if side in PEAKS:
        return PEAKS[side](PEAK_SIZE)
    if side == "program":
        return program_speed(text, shape)
    train = SIDES[side](text, shape)
    train(10)
    began = time.perf_counter()
    train(10)
    steps = max(10, int(SECONDS / 3 / ((time.perf_counter() - began) / 10)) // 10 * 10)
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        train(steps)
        seconds = time.perf_counter() - began
        best = max(best, steps * window * batch / seconds)
        if seconds > SECONDS:
            break
    return best


def run(python: str, side: str, text: str, shape: str, cores: int | None = None) -> float:
    """Measures one program in its own process, on N cores; None for all."""
    all_cores = os.cpu_count() or 1
    cores = cores or all_cores
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(cores)}
    command = [python, __file__, text, "--side", side, "--shape", shape]
    if cores < all_cores:
        command = ["taskset", "--cpu-list", f"0-{cores - 1}", *command]
        environment["TF_NUM_INTRAOP_THREADS"] = environment["TF_NUM_INTEROP_THREADS"] = str(cores)
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return float(json.loads(done.stdout))


def show(
    given: argparse.Namespace,
    shapes: Sequence[str],
    columns: Sequence[tuple[str, int]],
    best: dict[tuple[str, str, int], float],
    peaks: dict[int, float],
) -> None:
    """Prints the table.

    Args:
        given: the arguments.
        shapes: the rows.
        columns: the columns, each a program and its cores.
        best: tokens per second by shape, program and cores.
        peaks: operations per second by cores.
    """
    all_cores = columns[0][1]
    shown_peaks = ", ".join(f"{peak / 1e9:,.0f} on {cores}" for cores, peak in sorted(peaks.items()))
    print(f"peak of float32 products: {shown_peaks} (billions of operations per second)")
    print(f"tokens per second, the best of {given.rounds} rounds, and share of the peak; {all_cores} cores")
    print(f"{'state/layers/window/batch':27}" + "".join(f"{f'{side} on {cores}':>18}" for side, cores in columns))
    for shape in shapes:
        weights = weights_per_token(make_config(shape), windows(given.text, shape)[2], on_gpu=False)
        operations = OPERATIONS_PER_WEIGHT * weights
        shares = {key: best[shape, *key] * operations / peaks[key[1]] for key in columns}
        shown = (f"{best[shape, *key]:,.0f} ({share:.0%})" for key, share in shares.items())
        print(f"{shape:27}" + "".join(f"{text:>18}" for text in shown))
    for side, cores in columns:
        if (side, cores) != ("ours", all_cores):
            ratios = [best[shape, "ours", all_cores] / best[shape, side, cores] for shape in shapes]
            shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(
                f"ours relative to {side} on {cores}: {shown}; geometric mean {statistics.geometric_mean(ratios):.2f}"
            )


def main() -> None:
    """Prints a table or, for a single program, its figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", default=STORY)
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", action="store_true")
    parser.add_argument("--sizes", action="store_true")
    parser.add_argument("--loops", action="store_true")
    parser.add_argument("--side", choices=(*SIDES, *PEAKS, "program"), help=argparse.SUPPRESS)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        sys.stdout.write(json.dumps(measure(given.side, given.text, given.shape)))
        return
    all_cores = os.cpu_count() or 1
    compared = ("ours", "compiled", "uncompiled") if given.loops else ("keras", "ours", "program")
    pythons = {"torch": None if given.loops else given.torch, **dict.fromkeys(compared, sys.executable)}
    columns = [(side, all_cores) for side, python in pythons.items() if python]
    if given.cores:
        columns += [("ours", cores) for cores in range(1, all_cores)]
    best: dict[tuple[str, str, int], float] = {}
    peaks: dict[int, float] = {}
    shapes = SIZES if given.sizes else SHAPES
    libraries = {"torch_peak": given.torch, "tensorflow_peak": sys.executable}
    for _ in range(given.rounds):
        for cores in {cores for _, cores in columns}:
            for side, python in libraries.items():
                if python:
                    peaks[cores] = max(peaks.get(cores, 0.0), run(python, side, given.text, shapes[0], cores))
        for shape in shapes:
            for side, cores in columns:
                key = (shape, side, cores)
                speed = run(pythons[side], side, given.text, shape, cores)
                print(f"{shape} {side} on {cores}: {speed:,.0f}", file=sys.stderr, flush=True)
                best[key] = max(best.get(key, 0.0), speed)
    show(given, shapes, columns, best, peaks)


if __name__ == "__main__":
    main()
