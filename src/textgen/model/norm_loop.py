"""Runs the layer-normalised LSTM cell over time in TensorFlow, as `time_loops` does the other cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from textgen.model.time_loops import (
    before,
    collector,
    constants,
    gates,
    loop_pairs,
    over_time,
    product_over_time,
    read_over_time,
    written,
)
from textgen.planning.cells import LAYER_NORM_EPSILON


class NormWeights(NamedTuple):
    """The weights that the cell uses at each step.

    Attributes:
        recurrent_kernel: U, `(n, 4n)`, with each row's mean subtracted. Each row of `h U` then has the mean 0 too.
        recurrent_scale: the scale of the normalised `h U`, `(4n,)`.
        state_scale: the scale of the normalised c', `(n,)`.
        state_offset: the offset of the normalised c', `(n,)`.
    """

    recurrent_kernel: Any
    recurrent_scale: Any
    state_scale: Any
    state_offset: Any


def make_norm_loop(weights: NormWeights, *, compiled: bool) -> Callable[..., Any]:
    """Prepares the cell's loops over time, once for all parts of a batch.

    Args:
        weights: the cell's weights.
        compiled: whether XLA compiles the loops.

    Returns:
        A function of the input projection, `(unroll_steps, batch_size, 4n)`, with gates in Keras' order i, f, g, o, of the initial output and
        of the initial cell state, both `(batch_size, n)`. It returns all outputs, `(unroll_steps, batch_size, n)`, and the last h and c.
    """
    transposed = tf.transpose(tf.stop_gradient(weights.recurrent_kernel))
    forward, backward = _COMPILED if compiled else _PLAIN

    @tf.custom_gradient
    def run(from_input: Any, h: Any, c: Any, *weights: Any) -> Any:
        from_input, h, c, *own = constants(from_input, h, c, *weights)
        outputs, last_h, last_c, saved = forward(from_input, NormWeights(*own), h, c)

        def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, ...]:
            d_input, d_recurrent, d_h, d_c, *d_vectors = backward(
                saved, d_outputs, NormWeights(transposed, *own[1:]), (d_last_h, d_last_c)
            )
            return d_input, d_h, d_c, product_over_time(before(h, outputs), d_recurrent), *d_vectors

        return (outputs, last_h, last_c), gradient

    return lambda from_input, h, c: run(from_input, h, c, *weights)


def _forward(sigmoid: Callable[[Any], Any], from_input: Any, weights: NormWeights, h: Any, c: Any) -> tuple[Any, ...]:
    """Returns the outputs, the last h and c, and the arrays of everything that the backward pass needs.

    The backward pass needs the factors of `time_loops`, where `from_h` is the factor up to the argument of the tanh. It also needs the
    normalised c' and `h U`, and the rate by which each was multiplied to get variance 1.
    """
    steps, units = from_input.shape[0], c.shape[-1]
    inputs = read_over_time(from_input)
    collected = [collector(from_input, width) for width in (*[units] * 8, 4 * units, 1, 1)]

    def step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        recurrent, recurrent_rate = _to_variance_one(tf.matmul(h, weights.recurrent_kernel))
        i, f, g, o = gates(inputs.read(time) + weights.recurrent_scale * recurrent, sigmoid)
        kept = f * c
        c = kept + i * g
        state, state_rate = _to_variance_one(c - _mean(c))
        tanh_state = tf.tanh(weights.state_scale * state + weights.state_offset)
        h = o * tanh_state
        by_i, by_f, by_g, by_o = g * i * (1 - i), kept * (1 - f), i * (1 - g * g), h * (1 - o)
        factors = [by_i, by_f, by_g, by_o, o * (1 - tanh_state * tanh_state), f]
        found = [h, *factors, state, recurrent, recurrent_rate, state_rate]
        return time + 1, h, c, *written(arrays, time, found)

    _, h, c, outputs, *arrays = over_time(steps, step, (0, h, c, *collected))
    return outputs.stack(), h, c, arrays


def _backward(saved: list[Any], d_outputs: Any, weights: NormWeights, d_states: tuple[Any, Any]) -> tuple[Any, ...]:
    """Returns the gradients of the input projection, of `h U`, of the initial h and c, and of the three vectors.

    Args:
        saved: the arrays of `_forward`.
        d_outputs: the gradient of the outputs, over time.
        weights: the cell's weights, of which the kernel is transposed.
        d_states: the gradients of the last h and the last c.
    """
    d_h, d_c = d_states
    steps, (batch_size, units) = d_outputs.shape[0], d_c.shape
    given = read_over_time(d_outputs)
    collected = [collector(d_outputs, 4 * units) for _ in range(2)]
    sums = [tf.zeros((batch_size, width), d_c.dtype) for width in (4 * units, units, units)]

    def step(count: Any, d_h: Any, d_c: Any, sums: list[Any], *arrays: Any) -> tuple[Any, ...]:
        time = steps - 1 - count
        d_output, by_i, by_f, by_g, by_o, from_h, f, state, recurrent, recurrent_rate, state_rate = (
            array.read(time) for array in (given, *saved)
        )
        d_h = d_h + d_output
        d_offset = d_h * from_h
        d_state = d_offset * weights.state_scale
        d_c = d_c + state_rate * (d_state - _mean(d_state) - state * _mean(d_state * state))
        d_z = tf.concat([d_c * by_i, d_c * by_f, d_c * by_g, d_h * by_o], axis=1)
        d_recurrent = d_z * weights.recurrent_scale
        d_recurrent = recurrent_rate * (d_recurrent - recurrent * _mean(d_recurrent * recurrent))
        parts = (d_z * recurrent, d_offset * state, d_offset)
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
        arrays = tuple(written(arrays, time, [d_z, d_recurrent]))
        return count + 1, tf.matmul(d_recurrent, weights.recurrent_kernel), d_c * f, sums, *arrays

    _, d_h, d_c, sums, *arrays = over_time(steps, step, (0, d_h, d_c, sums, *collected))
    d_input, d_recurrent = (array.stack() for array in arrays)
    return d_input, d_recurrent, d_h, d_c, *(tf.reduce_sum(total, axis=0) for total in sums)


def _to_variance_one(centred: Any) -> tuple[Any, Any]:
    """Scales rows of mean 0 to variance 1, and returns them with the factor of each, `(batch_size, 1)`."""
    exact = tf.cast(centred, tf.float32)
    variance = tf.reduce_mean(exact * exact, axis=1, keepdims=True)
    rate = tf.cast(tf.math.rsqrt(variance + LAYER_NORM_EPSILON), centred.dtype)
    return centred * rate, rate


def _mean(values: Any) -> Any:
    """Returns the mean of each row, `(batch_size, 1)`."""
    return tf.cast(tf.reduce_mean(tf.cast(values, tf.float32), axis=1, keepdims=True), values.dtype)


_PLAIN, _COMPILED = loop_pairs(_forward, _backward)
