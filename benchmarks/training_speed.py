"""Is everything around the training step nearly free? textgen-train against a bare fit of stock Keras layers.

Both sides learn the same text with the same shapes, optimizer and clipping, in turn, several times, and the fastest of
each counts. Ours is the whole program's fit loop by the clock: data pipeline, callbacks, TensorBoard, progress. The bare
side is keras.layers.Embedding, keras.layers.LSTM(stateful=True) and Dense, fed from arrays in memory.

    python benchmarks/training_speed.py [TEXT]
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dataclasses
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console as RichConsole

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.corpus import Corpus, find_sources, open_corpus
from textgen.dataset import Streams, encode
from textgen.jobs import JobDirectory
from textgen.storage import bundled
from textgen.training import train
from textgen.training.optimization import make_optimizer

SHAPES = ((128, 2, 50, 50), (384, 1, 64, 16), (256, 2, 64, 64))
ROUNDS = 3
SHORT, LONG = 5, 60


def bare_fit(config: TrainingConfig, corpus: Corpus, directory: Path) -> Callable[[int], float]:
    """A function that trains stock Keras layers for so many steps, without callbacks, and says how long it took."""
    ids = encode(corpus.train, corpus.vocabulary, corpus.sha256, directory)
    streams = Streams(ids, config.batch_size, config.unroll_steps, config.seed)
    windows = [streams.window(0, step) for step in range(streams.steps_per_epoch)]
    tokens, targets = (np.stack(part) for part in zip(*windows, strict=True))
    options = tf.data.Options()
    options.autotune.enabled = False
    data = tf.data.Dataset.from_tensor_slices((tokens, targets)).repeat().prefetch(4).with_options(options)

    def seconds(steps: int) -> float:
        inputs = keras.Input(batch_shape=tokens.shape[1:], dtype="int32")
        hidden = keras.layers.Embedding(corpus.vocabulary.size, config.lstm_state_size)(inputs)
        for _ in range(config.layers):
            hidden = keras.layers.LSTM(config.lstm_state_size, return_sequences=True, stateful=True)(hidden)
            hidden = keras.layers.Dropout(config.dropout)(hidden)
        model = keras.Model(inputs, keras.layers.Dense(corpus.vocabulary.size)(hidden))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(make_optimizer(config), loss, jit_compile=False)
        began = time.perf_counter()
        model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)
        return time.perf_counter() - began

    return seconds


def whole_program(config: TrainingConfig, corpus: Corpus, directory: Path) -> Callable[[int], float]:
    """A function that runs textgen-train's whole fit loop for so many steps, and says how long it took."""

    def seconds(steps: int) -> float:
        console = Console()
        console.rich = RichConsole(file=io.StringIO())
        job = JobDirectory(Path(tempfile.mkdtemp(dir=directory)))
        limited = dataclasses.replace(config, max_steps=steps)
        began = time.perf_counter()
        train(limited, corpus, job, summary_dir=job.logs, ids_directory=directory, console=console)
        return time.perf_counter() - began

    return seconds


def tokens_per_second(seconds: Callable[[int], float], config: TrainingConfig) -> float:
    """From the wall time of long runs less that of short ones: start-up, tracing and the last evaluation cancel."""
    long = min(seconds(LONG) for _ in range(ROUNDS))
    short = min(seconds(SHORT) for _ in range(ROUNDS))
    return (LONG - SHORT) * config.batch_size * config.unroll_steps / (long - short)


def main() -> None:
    """Prints a line for each shape."""
    text = sys.argv[1] if len(sys.argv) > 1 else str(bundled("data/story.txt"))
    corpus = open_corpus(find_sources([text], None, None), language_model="char")
    print(f"{os.cpu_count()} cores, TensorFlow {tf.__version__}, Keras {keras.__version__}; best of {ROUNDS}")
    print(f"{'state/layers/window/batch':27}{'bare stock Keras':>18}{'textgen-train':>16}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for size, layers, window, batch in SHAPES:
            config = TrainingConfig(
                lstm_state_size=size, layers=layers, unroll_steps=window, batch_size=batch, sample_length=0
            )
            sides = bare_fit(config, corpus, directory), whole_program(config, corpus, directory)
            stock, ours = (tokens_per_second(side, config) for side in sides)
            print(f"{f'{size}/{layers}/{window}/{batch}':27}{stock:>16,.0f}/s{ours:>14,.0f}/s{ours / stock:>8.2f}")


if __name__ == "__main__":
    main()
