"""How close does training come to the peak of the device? Tokens per second, and the fraction of the peak that they take.

A training step makes six floating-point operations for each weight that a token is multiplied by: two forward, four backward.
On a CPU, the embedding of a small vocabulary is multiplied by the first kernel once per step, not once per token, and is counted once.
The peak is not looked up but measured: one large matrix product in the same precision, on the same device.

    python benchmarks/gpu.py [TEXT] [--shapes SHAPE,...] [--precisions mixed_bfloat16,float32]

A SHAPE is state/layers/window/batch. It also runs on a CPU.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from training_speed import make_config, our_side, windows

from textgen.config import TrainingConfig
from textgen.training.device import choose_device

SHAPES = "1024/2/128/64,1024/2/128/256,2048/2/128/64"
OPERATIONS_PER_WEIGHT = 6
DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}
ROUNDS = 3


def peak(precision: str, size: int) -> float:
    """Returns the floating-point operations per second of a product of two square matrices, the best of several rounds."""
    factor = tf.cast(tf.random.stateless_normal((size, size), [1, 2]), DTYPES[precision])

    @tf.function
    def products(matrix: tf.Tensor) -> tf.Tensor:
        for _ in range(10):
            matrix = tf.matmul(matrix, factor) / size
        return tf.reduce_sum(tf.cast(matrix, tf.float32))

    best = 0.0
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        products(factor).numpy()
        best = max(best, 10 * 2 * size**3 / (time.perf_counter() - began))
    return best


def operations_per_token(config: TrainingConfig, vocabulary_size: int, *, on_gpu: bool) -> float:
    """Returns the floating-point operations of the matrix products of a training step, per token of its windows.

    Args:
        config: a model of plain LSTM cells with an embedding.
        vocabulary_size: the number of ids.
        on_gpu: whether cuDNN runs the layers. It multiplies the embedding of every token by the first kernel. On a CPU the whole
            embedding is multiplied instead, if the vocabulary has no more tokens than the windows of a step.
    """
    assert config.embedding_size is not None  # noqa: S101 - for the type checker
    size, tokens = config.lstm_state_size, config.batch_size * config.unroll_steps
    rows_of_input = tokens if on_gpu else min(tokens, vocabulary_size)
    first_input = config.embedding_size * 4 * size * rows_of_input / tokens
    later_inputs = (config.layers - 1) * size * 4 * size
    recurrent = config.layers * size * 4 * size
    output = size * vocabulary_size
    return OPERATIONS_PER_WEIGHT * (first_input + later_inputs + recurrent + output)


def tokens_per_second(text: str, shape: str, precision: str) -> float:
    """Returns the speed of the model's own train function, the best of several rounds."""
    _, _, window, batch = map(int, shape.split("/"))
    train = our_side(text, shape, precision=precision)
    train(20)
    best = 0.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        train(40)
        best = max(best, 40 * window * batch / (time.perf_counter() - began))
    return best


def main() -> None:
    """Prints the device, and one line per shape and precision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", default=str(Path(__file__).parents[1] / "data" / "story.txt"))
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--precisions", default="mixed_bfloat16,float32")
    given = parser.parse_args()
    print(choose_device("auto"))
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    size = 8192 if on_gpu else 2048
    for precision in given.precisions.split(","):
        fastest = peak(precision, size)
        print(f"{precision}: a product of {size} x {size} runs at {fastest / 1e12:.2f} TFLOP/s")
        for shape in given.shapes.split(","):
            operations = operations_per_token(make_config(shape), windows(given.text, shape)[2], on_gpu=on_gpu)
            speed = tokens_per_second(given.text, shape, precision)
            print(f"  {shape}: {speed:,.0f} tokens/s, {speed * operations / fastest:.0%} of that", flush=True)


if __name__ == "__main__":
    main()
