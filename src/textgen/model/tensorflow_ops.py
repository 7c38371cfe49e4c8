"""Contains all TensorFlow code of the layers except the loops over time (`time_loops`, `norm_loop`)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import keras
import tensorflow as tf

from textgen.machine import available_cores, physical_cores
from textgen.planning import parts_of_batch

T = TypeVar("T")

_MANY_ROWS = 16
"""With at least this many rows per part, TensorFlow's own products are faster than those of XLA's loop even at smaller states."""
_UNITS_WITH_FEW_ROWS = 640
_UNITS_WITH_MANY_ROWS = 512
"""The state sizes from which TensorFlow's products are faster; with few rows, between 512 and 768 (docs/performance.md)."""


class Loop(NamedTuple):
    """How a loop over time runs.

    Attributes:
        parts: the number of parts of the batch, which run at the same time.
        compiled: whether XLA compiles the loop.
    """

    parts: int
    compiled: bool


def choose_loop(units: int, batch_size: int) -> Loop:
    """Chooses how to run an LSTM's loop over time on this machine.

    A GPU runs the whole batch in TensorFlow's own loop. On a CPU, XLA fuses the computation of the gates into one pass over memory,
    but runs everything except the products on one core. So the batch is split into parts, one per core, unless they would become
    too small (`parts_of_batch`). If the number of TensorFlow's threads is fixed, it alone decides, so that results can be repeated
    on another machine.

    Args:
        units: the state size n.
        batch_size: the number of streams.
    """
    if has_gpu():
        return Loop(1, compiled=False)
    fixed = tf.config.threading.get_intra_op_parallelism_threads()
    sharing = len(tf.config.list_logical_devices("CPU"))  # replicas on virtual devices, each with its own rows
    cores, threads = fixed or len(physical_cores()), fixed or available_cores()
    parts = parts_of_batch(batch_size, cores // sharing, threads // sharing)
    limit = _UNITS_WITH_FEW_ROWS if batch_size // parts < _MANY_ROWS else _UNITS_WITH_MANY_ROWS
    return Loop(parts, compiled=units < limit and _has_compiler())


def has_gpu() -> bool:
    """Returns whether TensorFlow runs on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def run_in_parts(part: Callable[..., tuple[Any, ...]], batch: list[Any], loop: Loop) -> list[Any]:
    """Splits a batch, runs each part, and concatenates the results.

    Args:
        part: a function from a part of each tensor to a tuple of tensors.
        batch: tensors whose first axis is the batch.
        loop: the result of `choose_loop`, with the number of parts.

    Returns:
        The results of all parts, concatenated along their first axis.
    """
    if loop.parts == 1:
        return list(part(*batch))
    size = batch[0].shape[0]
    sizes = [(size + number) // loop.parts for number in range(loop.parts)]
    found = [part(*tensors) for tensors in zip(*(tf.split(tensor, sizes) for tensor in batch), strict=True)]
    return [tf.concat(tensors, 0) for tensors in zip(*found, strict=True)]


def make_update(optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> Callable[[list[Any]], tuple[Any, Any]]:
    """Makes the function that updates the weights.

    Args:
        optimizer: the optimizer, already built.
        variables: the variables that it updates.

    Returns:
        A function that takes their gradients. It returns the norm of the gradient before clipping, and 1 if that norm is known,
        else 0.
    """
    scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def update(gradients: list[Any]) -> tuple[Any, Any]:
        norm, known = tf.linalg.global_norm(gradients), tf.constant(1.0)
        if scales_loss:
            # Loss scaling sometimes tries too large a scale, and skips the step. The norm is then meaningless.
            known = tf.cast(tf.math.is_finite(norm), norm.dtype)
            norm = tf.where(known > 0, norm / optimizer.scale_loss(1.0), 0.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return norm, known

    return update if scales_loss else fused(update)


def fused(function: Callable[..., T]) -> Callable[..., T]:
    """Returns a function whose many passes over each weight XLA fuses into one. Only a CPU needs that."""
    if has_gpu() or not _has_compiler():
        return function
    compiled: Callable[..., T] = tf.function(function, jit_compile=True, autograph=False)
    return compiled


@tf.custom_gradient
def gather_rows(table: Any, ids: Any) -> Any:
    """Looks up rows of a table, with a dense gradient.

    The gradient of `tf.gather` is a list of rows in which a repeated id occurs several times. Adam squares each of these rows before
    summing them, and clipping computes too small a norm. Both are wrong. Here the rows of each id are summed first.

    Args:
        table: `(rows, width)`, floating.
        ids: integers of any shape.

    Returns:
        The shape of the ids and `width`, of the table's dtype.
    """
    rows, width = table.shape

    def gradient(upstream: Any) -> tuple[Any, None]:
        values = tf.cast(tf.reshape(upstream, [-1, width]), tf.float32)  # a sum of many float16 values would be inexact
        flat_ids = tf.reshape(ids, [-1])
        if has_gpu():
            summed = tf.math.unsorted_segment_sum(values, flat_ids, rows)
        else:  # takes less than half the time
            order = tf.argsort(flat_ids)
            summed = tf.sparse.segment_sum(values, order, tf.gather(flat_ids, order), num_segments=rows)
        return tf.cast(summed, table.dtype), None

    return tf.gather(table, ids), gradient


@tf.custom_gradient
def add_bias(rows: Any, bias: Any) -> Any:
    """Adds a bias to each row. Its gradient is one product, because TensorFlow's sum over many rows takes five times as long.

    Args:
        rows: `(rows, width)`, floating.
        bias: `(width,)`, of the same dtype.
    """

    def gradient(upstream: Any) -> tuple[Any, Any]:
        ones = tf.ones((1, rows.shape[0]), upstream.dtype)
        return upstream, tf.matmul(ones, upstream)[0]

    return rows + bias, gradient


def draw_kept(shape: tuple[int, ...], count: Any, seed: Any) -> Any:
    """Draws the values that dropout keeps, from 16 random bits each.

    Args:
        shape: the shape of the values.
        count: the number of values kept out of 65,536, on average; a scalar, below 65,536.
        seed: two integers; the same seed gives the same draw.

    Returns:
        A bool tensor of that shape, True for the values to keep.
    """
    size = math.prod(shape)
    words = tf.random.stateless_uniform([(size + 1) // 2], tf.cast(seed, tf.int32), None, None, tf.int32)
    halves = tf.reshape(tf.bitcast(words, tf.int16), [-1])[:size]
    return tf.reshape(halves < tf.cast(count - 32768, tf.int16), shape)


def make_scalar(value: float) -> Any:
    """Makes a float32 variable that Keras does not see, so that it is no part of a model's weights."""
    return tf.Variable(value, trainable=False, dtype=tf.float32)


def usable_cores() -> int:
    """Returns the number of threads per operation in TensorFlow: as configured, or the number of cores this process may use."""
    return tf.config.threading.get_intra_op_parallelism_threads() or available_cores()


@functools.cache
def _has_compiler() -> bool:
    """Returns whether this build of TensorFlow can compile for this CPU; on some systems it cannot."""
    try:
        tf.function(tf.identity, jit_compile=True, autograph=False)(tf.zeros(()))
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False
    return True
