"""Counts the operations of a training step, and measures how fast this machine can multiply matrices.

A training step makes six floating-point operations for each weight that a token is multiplied by: two forward, four backward. The peak is not
looked up but measured: a few large matrix products, in the library that is measured or in the faster of several.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textgen.config import TrainingConfig

OPERATIONS_PER_WEIGHT = 6
PRODUCTS = 10
ROUNDS = 20


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


def tensorflow_peak(size: int, dtype: str = "float32") -> float:
    """Returns the floating-point operations per second of products of square matrices in TensorFlow.

    Args:
        size: the number of rows and of columns.
        dtype: the name of TensorFlow's data type.
    """
    import tensorflow as tf

    factor = tf.cast(tf.random.stateless_normal((size, size), [1, 2]), dtype)

    @tf.function
    def products(matrix: tf.Tensor) -> tf.Tensor:
        for _ in range(PRODUCTS):
            matrix = tf.matmul(matrix, factor) / size
        return tf.reduce_sum(tf.cast(matrix, tf.float32))

    return _fastest(lambda: float(products(factor)), size)


def torch_peak(size: int) -> float:
    """Returns the same for PyTorch, in float32."""
    import torch

    factor = torch.randn(size, size)

    def products() -> None:
        matrix = factor
        for _ in range(PRODUCTS):
            matrix = matrix @ factor / size
        matrix.sum().item()

    return _fastest(products, size)


def _fastest(products: Callable[[], object], size: int) -> float:
    """Returns the operations per second of the fastest of several rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        products()
        best = max(best, PRODUCTS * 2 * size**3 / (time.perf_counter() - began))
    return best
