"""How much of a GPU does training use? One command measures what docs and the planner need to know about a kind of GPU.

    python benchmarks/gpu.py [--shapes SHAPE ...] [--precisions mixed_bfloat16 float32] [--results gpu.json]

A SHAPE is state/layers/window/batch. For each shape and precision, it prints the tokens per second, their share of the peak of matrix products,
whether cuDNN runs the LSTM layers, and the share of the time in which the GPU waits for the host, which should be below a tenth. The results file
has all of it, with the device and the versions. At the end stands a fit of the time per token, for `textgen.planning.estimates`.

A training step makes six floating-point operations for each weight that a token is multiplied by: two forward, four backward.
On a CPU, the embedding of a small vocabulary is multiplied by the first kernel once per step, not once per token, and is counted once.
The peak is not looked up but measured: one large matrix product in the same precision, on the same device.

On a GPU it takes a few minutes. Without one, it measures smaller shapes on the CPU, which has no host to wait for.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")  # as textgen-train does

import numpy as np
import tensorflow as tf
from device_profile import idle_share, record, uses_cudnn
from train_function import STEPS, VOCABULARY, make_training, shape_config

from textgen.config import TrainingConfig
from textgen.training.device import choose_device, describe_machine

SHAPES_OF_A_GPU = (
    *("512/1/64/64", "512/2/64/64", "1024/2/128/64", "2048/2/128/64"),
    *("1024/2/128/16", "1024/2/128/256", "1024/2/128/1024"),
)
"""Sizes at the number of streams that is chosen for a GPU, and one size with other numbers of streams."""
SHAPES_OF_A_CPU = ("128/1/64/16", "384/1/64/16", "256/2/64/16")
OPERATIONS_PER_WEIGHT = 6
DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}
ROUNDS = 3
SECONDS = 1.5
"""The approximate time of a round."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The figures of a shape.

    Attributes:
        shape: state/layers/window/batch.
        precision: as in `TrainingConfig`.
        tokens_per_second: the best of several rounds.
        share_of_peak: the share of the speed of a large matrix product in the same precision.
        weights: the weights that each token is multiplied by.
        cudnn: whether cuDNN ran the LSTM layers.
        idle: the share of the time in which the GPU waited; None on a CPU.
    """

    shape: str
    precision: str
    tokens_per_second: float
    share_of_peak: float
    weights: float
    cudnn: bool
    idle: float | None


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


def weights_per_token(config: TrainingConfig, vocabulary_size: int, *, on_gpu: bool) -> float:
    """Returns the weights that each token of a training step is multiplied by.

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
    return first_input + later_inputs + recurrent + output


def measure(shape: str, precision: str, fastest: float, *, on_gpu: bool) -> Result:
    """Measures a shape in a precision, given the peak in operations per second."""
    config = shape_config(shape, precision=precision, learning_rate=0.001, dropout=0.1)
    train = make_training(config)
    train(2 * STEPS)
    began = time.perf_counter()
    train(STEPS)
    steps = STEPS * max(1, round(SECONDS / (time.perf_counter() - began)))
    best = 0.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        train(steps)
        best = max(best, steps * config.batch_size * config.unroll_steps / (time.perf_counter() - began))
    space = record(lambda: train(2 * STEPS))
    weights = weights_per_token(config, VOCABULARY, on_gpu=on_gpu)
    share = best * OPERATIONS_PER_WEIGHT * weights / fastest
    return Result(shape, precision, best, share, weights, uses_cudnn(space), idle_share(space))


def fit(results: Sequence[Result]) -> tuple[float, float]:
    """Fits the time per token to the shapes that have the same number of streams as most.

    Args:
        results: figures in one precision.

    Returns:
        The seconds per token, and those per token and multiplied weight. They minimise the squares of relative errors.
    """
    batches = [result.shape.rpartition("/")[2] for result in results]
    usual = max(batches, key=batches.count)
    fitted = [result for result, batch in zip(results, batches, strict=True) if batch == usual]
    seconds = np.array([1 / result.tokens_per_second for result in fitted])
    terms = np.array([[1.0, result.weights] for result in fitted])
    fixed, each = np.linalg.lstsq(terms / seconds[:, None], np.ones(len(fitted)), rcond=None)[0]
    return float(fixed), float(each)


def main() -> None:
    """Prints the device, one line per shape and precision, and the fit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", nargs="+")
    parser.add_argument("--precisions", nargs="+", choices=DTYPES)
    parser.add_argument("--results", type=Path, help="a JSON file for the results")
    given = parser.parse_args()
    machine = describe_machine(choose_device("auto"))
    print(machine)
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    size = 8192 if on_gpu else 2048
    found: dict[str, Any] = {"machine": machine, "peaks": {}, "results": [], "seconds_per_token": {}}
    for precision in given.precisions or (("mixed_bfloat16", "float32") if on_gpu else ("float32",)):
        fastest = peak(precision, size)
        print(f"{precision}: a product of {size} x {size} runs at {fastest / 1e12:.2f} TFLOP/s")
        found["peaks"][precision] = fastest
        results = []
        for shape in given.shapes or (SHAPES_OF_A_GPU if on_gpu else SHAPES_OF_A_CPU):
            result = measure(shape, precision, fastest, on_gpu=on_gpu)
            waits = "" if result.idle is None else f", waits {result.idle:.0%} of the time"
            print(
                f"  {shape:16}{result.tokens_per_second:12,.0f} tokens/s{result.share_of_peak:6.0%} of that, "
                f"{'with' if result.cudnn else 'without'} cuDNN{waits}",
                flush=True,
            )
            results.append(result)
        if len(results) > 1:
            fixed, each = fit(results)
            print(f"  seconds per token: {fixed:.2g} and {each:.2g} per multiplied weight")
            found["seconds_per_token"][precision] = [fixed, each]
        found["results"] += map(dataclasses.asdict, results)
        if given.results:
            given.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
