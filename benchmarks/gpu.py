"""How near does training come to what the device can do? Tokens a second, and the share of its fastest product of matrices.

A training step makes six floating-point operations for each weight of a product and token: two forward, four backward. The
peak is not looked up in a table but measured: one large product in the same precision, on the same device.

    python benchmarks/gpu.py [TEXT] [--shapes SHAPE,...] [--precisions mixed_bfloat16,float32]

A SHAPE is state/layers/window/batch. It runs on a CPU too, which shows that it works, and nothing else.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from training_speed import make_config, our_side, windows

from textgen.planning import Plan
from textgen.training.device import choose_device

SHAPES = "1024/2/128/64,1024/2/128/256,2048/2/128/64"
OPERATIONS_PER_WEIGHT = 6
DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}
ROUNDS = 3


def peak(precision: str, size: int) -> float:
    """Floating-point operations a second of a product of two square matrices, the best of several rounds."""
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


def tokens_per_second(text: str, shape: str, precision: str) -> float:
    """The speed of the model's own train function, the best of several rounds."""
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
    """Prints the device, and a line for each shape and precision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", default=str(Path(__file__).parents[1] / "data" / "story.txt"))
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--precisions", default="mixed_bfloat16,float32")
    given = parser.parse_args()
    print(choose_device("auto"))
    size = 8192 if tf.config.list_logical_devices("GPU") else 2048
    for precision in given.precisions.split(","):
        fastest = peak(precision, size)
        print(f"{precision}: a product of {size} x {size} runs at {fastest / 1e12:.2f} TFLOP/s")
        for shape in given.shapes.split(","):
            vocabulary = windows(given.text, shape)[2]
            config = make_config(shape)
            # The rows of an embedding are looked up, and multiplied by nothing.
            weights = Plan(config, vocabulary).parameters - vocabulary * config.lstm_state_size
            speed = tokens_per_second(given.text, shape, precision)
            share = speed * weights * OPERATIONS_PER_WEIGHT / fastest
            print(f"  {shape}: {speed:,.0f} tokens/s, {share:.0%} of that", flush=True)


if __name__ == "__main__":
    main()
