"""Runs LSTM cells over time in TensorFlow, with gradients written for it; knows nothing of layers, tokens or devices.

What is one large product stays outside the loops, with TensorFlow's kernels; what is left of them XLA can compile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


def lstm_loop(share: Any, recurrent_kernel: Any, h: Any, c: Any, *, compiled: bool) -> tuple[Any, Any, Any]:
    """Runs the plain LSTM cell over time, with its gradient written out.

    What TensorFlow derives by itself adds the gradient of the recurrent kernel up step by step, a small product each.
    Here the backward loop carries only h and c, and the kernel's gradient is one large product after it.

    Args:
        share: the input's share of the gates, `(unroll_steps, batch_size, 4n)`, in Keras' order i, f, g, o.
        recurrent_kernel: `(n, 4n)`.
        h: the first state, `(batch_size, n)`.
        c: likewise.
        compiled: whether XLA compiles the loops.

    Returns:
        All outputs, `(unroll_steps, batch_size, n)`, and the last h and c.
    """
    forward, backward = (_forward_compiled, _backward_compiled) if compiled else (_forward, _backward)

    @tf.custom_gradient
    def run(share: Any, recurrent_kernel: Any, h: Any, c: Any) -> Any:
        # An eager tape would record the calls of compiled functions below, whose lists XLA cannot hand over to it.
        share, recurrent_kernel, h, c = map(tf.stop_gradient, (share, recurrent_kernel, h, c))
        outputs, last_h, last_c, factors = forward(share, recurrent_kernel, h, c)

        def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, Any, Any, Any]:
            d_share, d_h, d_c = backward(d_outputs, factors, recurrent_kernel, d_last_h, d_last_c)
            return d_share, _product_over_time(_before(h, outputs), d_share), d_h, d_c

        return (outputs, last_h, last_c), gradient

    found: tuple[Any, Any, Any] = run(share, recurrent_kernel, h, c)
    return found


class CellWeights(NamedTuple):
    """The weights that a cell uses at each step.

    Attributes:
        recurrent_kernel: U, `(m, 4n)`.
        projection: P, `(n, m)`; empty where there is none.
        vectors: all others.
    """

    recurrent_kernel: Any
    projection: tuple[Any, ...]
    vectors: tuple[Any, ...]


def cell_loop(
    step: Callable[..., tuple[Any, Any]], share: Any, weights: CellWeights, h: Any, c: Any, *, compiled: bool
) -> tuple[Any, Any, Any]:
    """Runs any LSTM cell over time; the gradient of a single step is TensorFlow's, its sums over time are one product each.

    Args:
        step: makes the output, before projection, and the next c of the input's share, the state's share h U, c and the
            vectors; must contain no products.
        share: the input's share of the gates, `(unroll_steps, batch_size, 4n)`.
        weights: of the cell.
        h: the first state, `(batch_size, m)`.
        c: likewise, `(batch_size, n)`.
        compiled: whether XLA compiles the loops.

    Returns:
        All outputs, `(unroll_steps, batch_size, m)`, and the last h and c.
    """
    forward, backward = _functions_of_cell(step, compiled)

    @tf.custom_gradient
    def run(share: Any, h: Any, c: Any, *flat: Any) -> Any:
        share, h, c, *constants = map(tf.stop_gradient, (share, h, c, *flat))
        own = tf.nest.pack_sequence_as(weights, constants)
        outputs, last_h, last_c, kept = forward(share, own, h, c)

        def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, ...]:
            d_share, d_recurrent, d_h, d_c, d_vectors, *of_projection = backward(
                d_outputs, (share, *kept), own, d_last_h, d_last_c
            )
            d_kernel = _product_over_time(_before(h, outputs), d_recurrent)
            d_projection = [_product_over_time(*of_projection)] if of_projection else []
            return d_share, d_h, d_c, d_kernel, *d_projection, *d_vectors

        return (outputs, last_h, last_c), gradient

    found: tuple[Any, Any, Any] = run(share, h, c, *tf.nest.flatten(weights))
    return found


def _forward(share: Any, recurrent_kernel: Any, h: Any, c: Any) -> tuple[Any, ...]:
    """Outputs, last h and c, and over time the factors by which the way back multiplies.

    With d for a loss's gradient, the way back is `d_c += d_h from_h`, then `d_z = (d_c by_i, d_c by_f, d_c by_g, d_h by_o)`
    and `d_c = d_c f`. The factors cost little here, where all they are made of is at hand, and save the gates.
    """
    steps, units = share.shape[0], h.shape[-1]
    shares = _read_over_time(share)
    collected = [_collector(share, units) for _ in range(7)]

    def step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        z = shares.read(time) + tf.matmul(h, recurrent_kernel)
        z_i, z_f, z_g, z_o = tf.split(z, 4, axis=1)
        i, f, g, o = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.tanh(z_g), tf.sigmoid(z_o)
        kept = f * c
        c = kept + i * g
        tanh_c = tf.tanh(c)
        h = o * tanh_c
        by_i, by_f, by_g, by_o = g * i * (1 - i), kept * (1 - f), i * (1 - g * g), h * (1 - o)
        found = (h, by_i, by_f, by_g, by_o, o * (1 - tanh_c * tanh_c), f)
        return time + 1, h, c, *(array.write(time, value) for array, value in zip(arrays, found, strict=True))

    _, h, c, *written = _loop(steps, step, (0, h, c, *collected))
    outputs, *factors = (array.stack() for array in written)
    return outputs, h, c, factors


def _backward(d_outputs: Any, factors: list[Any], recurrent_kernel: Any, d_h: Any, d_c: Any) -> tuple[Any, Any, Any]:
    """The gradients of the input's share, of the first h and of the first c.

    Args:
        d_outputs: the outputs' gradient, over time.
        factors: of `_forward`.
        recurrent_kernel: `(n, 4n)`.
        d_h: the gradient of the last h, `(batch_size, n)`.
        d_c: likewise.
    """
    steps, units = d_outputs.shape[0], d_outputs.shape[-1]
    transposed = tf.transpose(recurrent_kernel)  # once: a product that transposes at every step takes twice as long
    given = [_read_over_time(array) for array in (d_outputs, *factors)]

    def step(count: Any, d_h: Any, d_c: Any, d_shares: Any) -> tuple[Any, ...]:
        time = steps - 1 - count
        d_output, by_i, by_f, by_g, by_o, from_h, f = (array.read(time) for array in given)
        d_h = d_h + d_output
        d_c = d_c + d_h * from_h
        d_z = tf.concat([d_c * by_i, d_c * by_f, d_c * by_g, d_h * by_o], axis=1)
        return count + 1, tf.matmul(d_z, transposed), d_c * f, d_shares.write(time, d_z)

    _, d_h, d_c, d_shares = _loop(steps, step, (0, d_h, d_c, _collector(d_outputs, 4 * units)))
    return d_shares.stack(), d_h, d_c


_forward_compiled = tf.function(_forward, jit_compile=True, autograph=False)
_backward_compiled = tf.function(_backward, jit_compile=True, autograph=False)


@functools.cache
def _functions_of_cell(step: Callable[..., tuple[Any, Any]], compiled: bool) -> tuple[Any, Any]:
    """The loops forward and backward over a cell's step, made once for all layers that share it."""

    def forward(share: Any, weights: CellWeights, h: Any, c: Any) -> tuple[Any, ...]:
        """Outputs, last h and c, and for the way back the state's share and the c before each step."""
        steps, units = share.shape[0], c.shape[-1]
        shares = _read_over_time(share)
        collected = [_collector(share, width) for width in (h.shape[-1], 4 * units, units)]

        def one_step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
            recurrent = tf.matmul(h, weights.recurrent_kernel)
            output, next_c = step(shares.read(time), recurrent, c, *weights.vectors)
            next_h = tf.matmul(output, *weights.projection) if weights.projection else output
            found = (next_h, recurrent, c)
            written = (array.write(time, value) for array, value in zip(arrays, found, strict=True))
            return time + 1, next_h, next_c, *written

        _, h, c, *written = _loop(steps, one_step, (0, h, c, *collected))
        outputs, recurrents, cells = (array.stack() for array in written)
        return outputs, h, c, (recurrents, cells)

    def backward(d_outputs: Any, kept: tuple[Any, ...], weights: CellWeights, d_h: Any, d_c: Any) -> tuple[Any, ...]:
        """The gradients of share, state's share, first h and c, and vectors; with a projection its input and its output's gradient."""
        steps, units = d_outputs.shape[0], d_c.shape[-1]
        _, projection, vectors = weights
        transposed = tf.transpose(weights.recurrent_kernel)
        given = [_read_over_time(array) for array in (d_outputs, *kept)]
        widths = (4 * units, 4 * units, *((units, d_h.shape[-1]) if projection else ()))
        collected = [_collector(d_outputs, width) for width in widths]

        def one_step(count: Any, d_h: Any, d_c: Any, d_vectors: Any, *arrays: Any) -> tuple[Any, ...]:
            time = steps - 1 - count
            d_output, *inputs = (array.read(time) for array in given)
            d_h = d_h + d_output
            d_before = tf.matmul(d_h, *projection, transpose_b=True) if projection else d_h
            with tf.GradientTape() as tape:
                tape.watch([*inputs, *vectors])
                output, next_c = step(*inputs, *vectors)
            found = tape.gradient([output, next_c], [*inputs, *vectors], [d_before, d_c])
            d_share, d_recurrent, d_c = found[:3]
            d_vectors = [total + part for total, part in zip(d_vectors, found[3:], strict=True)]
            values = (d_share, d_recurrent, *((output, d_h) if projection else ()))
            written = (array.write(time, value) for array, value in zip(arrays, values, strict=True))
            return count + 1, tf.matmul(d_recurrent, transposed), d_c, d_vectors, *written

        first = (0, d_h, d_c, [tf.zeros_like(vector) for vector in vectors], *collected)
        _, d_h, d_c, d_vectors, *written = _loop(steps, one_step, first)
        d_share, d_recurrent, *rest = (array.stack() for array in written)
        return d_share, d_recurrent, d_h, d_c, d_vectors, *rest

    if not compiled:
        return forward, backward
    return tuple(tf.function(function, jit_compile=True, autograph=False) for function in (forward, backward))


def _before(first: Any, values: Any) -> Any:
    """What stood before each step, when the first stood before the first, and each value after its step."""
    return tf.concat([first[None], values[:-1]], 0)


def _product_over_time(left: Any, right: Any) -> Any:
    """The sum of left^T right over time and batch, as one product."""
    return tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), tf.reshape(right, [-1, right.shape[-1]]), transpose_a=True)


def _read_over_time(values: Any) -> Any:
    """An array over time of a tensor whose first axis is time."""
    return tf.TensorArray(values.dtype, values.shape[0], clear_after_read=False).unstack(values)


def _collector(like: Any, width: int) -> Any:
    """An array over time of `(batch_size, width)`."""
    return tf.TensorArray(like.dtype, like.shape[0], element_shape=(like.shape[1], width))


def _loop(steps: int, step: Any, first: tuple[Any, ...]) -> Any:
    """Runs a step so many times; its first argument counts them."""
    return tf.while_loop(lambda count, *_: count < steps, step, first, parallel_iterations=1, maximum_iterations=steps)
