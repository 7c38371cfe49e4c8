"""What the layers need of TensorFlow itself beside the loops over time (`time_loops`); the rest is written in `keras.ops`."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

_ROWS_OF_A_PART = 8
"""A product of fewer rows takes as long as one of so many: the kernel has to come from memory all the same."""
_MANY_ROWS = 16
"""From so many rows in a part on TensorFlow's own products, which gain more by rows than those of XLA's loop, win earlier."""
_UNITS_WITH_FEW_ROWS = 640
_UNITS_WITH_MANY_ROWS = 512
"""The state sizes from which they win; with few rows, it is somewhere between 512 and 768 (docs/performance.md)."""


class Loop(NamedTuple):
    """How a loop over time is run.

    Attributes:
        parts: how many parts the batch is cut into, which run at the same time.
        compiled: whether XLA compiles the loop.
    """

    parts: int
    compiled: bool


def choose_loop(units: int, batch_size: int) -> Loop:
    """The way to run an LSTM's loop over time on this machine, the same in each process.

    A GPU runs a batch whole, and TensorFlow's own loop. On a CPU, XLA joins all that a gate needs into one pass over the
    numbers, but runs a loop on one core, beside its products. So the batch is cut into a part for each core. Measured on
    two cores; on more of them parts of a few rows would lose, and none has fewer than eight.

    Args:
        units: the state size n.
        batch_size: the streams.
    """
    if has_gpu():
        return Loop(1, compiled=False)
    parts = max(1, min(usable_cores(), batch_size // _ROWS_OF_A_PART))
    limit = _UNITS_WITH_FEW_ROWS if batch_size // parts < _MANY_ROWS else _UNITS_WITH_MANY_ROWS
    return Loop(parts, compiled=units < limit and _has_compiler())


def has_gpu() -> bool:
    """Whether TensorFlow runs on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def run_in_parts(part: Callable[..., tuple[Any, ...]], batch: list[Any], loop: Loop) -> list[Any]:
    """Cuts a batch, runs each part, and joins what they give.

    Args:
        part: takes a part of each tensor, and gives tensors.
        batch: tensors whose first axis is the batch.
        loop: says how many parts.

    Returns:
        The joined tensors, along their first axis.
    """
    if loop.parts == 1:
        return list(part(*batch))
    size = batch[0].shape[0]
    sizes = [(size + number) // loop.parts for number in range(loop.parts)]
    found = [part(*tensors) for tensors in zip(*(tf.split(tensor, sizes) for tensor in batch), strict=True)]
    return [tf.concat(tensors, 0) for tensors in zip(*found, strict=True)]


def make_update(optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> Callable[[list[Any]], tuple[Any, Any]]:
    """Makes the function that updates weights; on a CPU, XLA joins its many passes over each weight into one.

    Args:
        optimizer: built.
        variables: what it updates.

    Returns:
        A function of their gradients, that gives the gradient's norm before clipping, and 1 if it is known, else 0.
    """
    scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def update(gradients: list[Any]) -> tuple[Any, Any]:
        norm, known = tf.linalg.global_norm(gradients), tf.constant(1.0)
        if scales_loss:
            # Loss scaling tries too large a scale now and then, and skips the step; such a norm says nothing.
            known = tf.cast(tf.math.is_finite(norm), norm.dtype)
            norm = tf.where(known > 0, norm / optimizer.scale_loss(1.0), 0.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return norm, known

    if scales_loss or has_gpu() or not _has_compiler():
        return update
    compiled: Callable[[list[Any]], tuple[Any, Any]] = tf.function(update, jit_compile=True, autograph=False)
    return compiled


@tf.custom_gradient
def gather_rows(table: Any, ids: Any) -> Any:
    """Looks up rows of a table, with a dense gradient.

    The gradient of `tf.gather` is a list of rows in which a repeated id stands several times: Adam then squares each
    before summing, and a clipping norm sums the squares of the parts, both of which are wrong. Here the rows of one id
    are summed first.

    Args:
        table: `(rows, width)`, floating.
        ids: integers of any shape.

    Returns:
        The shape of the ids and `width`, of the table's dtype.
    """
    rows, width = table.shape

    def gradient(upstream: Any) -> tuple[Any, None]:
        values = tf.cast(tf.reshape(upstream, [-1, width]), tf.float32)  # many halves would not add up
        flat_ids = tf.reshape(ids, [-1])
        if has_gpu():
            summed = tf.math.unsorted_segment_sum(values, flat_ids, rows)
        else:  # in less than half the time
            order = tf.argsort(flat_ids)
            summed = tf.sparse.segment_sum(values, order, tf.gather(flat_ids, order), num_segments=rows)
        return tf.cast(summed, table.dtype), None

    return tf.gather(table, ids), gradient


def draw_kept(shape: tuple[int, ...], share: int, seed: Any) -> Any:
    """Draws what dropout keeps, from 16 random bits for each number.

    Args:
        shape: of the tensor of numbers.
        share: how many of 65,536 are kept in the mean.
        seed: two integers; the same draw the same.

    Returns:
        A tensor of the shape, bool.
    """
    count = math.prod(shape)
    words = tf.random.stateless_uniform([(count + 1) // 2], tf.cast(seed, tf.int32), None, None, tf.int32)
    halves = tf.reshape(tf.bitcast(words, tf.int16), [-1])[:count]
    return tf.reshape(halves < share - 32768, shape)


def usable_cores() -> int:
    """How many threads TensorFlow gives one operation: what it was told, or the cores that this process may use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return tf.config.threading.get_intra_op_parallelism_threads() or there or 1


@functools.cache
def _has_compiler() -> bool:
    """Whether this build of TensorFlow can compile for this CPU; those of some systems cannot."""
    try:
        tf.function(tf.identity, jit_compile=True, autograph=False)(tf.zeros(()))
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False
    return True
