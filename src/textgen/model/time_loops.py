"""Runs the plain and the projected LSTM cell over time in TensorFlow; knows nothing of layers, tokens or devices.

What TensorFlow derives by itself adds the gradient of the recurrent kernel up step by step, a small product each. Here the
gradients are written out: the loop backward carries only h and c, and each kernel's gradient is one large product after it,
with TensorFlow's kernels. What is left of the loops XLA can compile.

The loops forward keep not the gates but the factors by which the way back multiplies. They cost little there, where all they are
made of is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def lstm_loop(
    share: Any, recurrent_kernel: Any, h: Any, c: Any, *, projection: Any = None, compiled: bool
) -> tuple[Any, Any, Any]:
    """Runs the cell over time.

    Args:
        share: the input's share of the gates, `(unroll_steps, batch_size, 4n)`, in Keras' order i, f, g, o.
        recurrent_kernel: U, `(m, 4n)`.
        h: the first state, `(batch_size, m)`.
        c: likewise, `(batch_size, n)`.
        projection: P, `(n, m)`; None for the plain cell, whose m is n.
        compiled: whether XLA compiles the loops.

    Returns:
        All outputs, `(unroll_steps, batch_size, m)`, and the last h and c.
    """
    forward, backward = _COMPILED if compiled else _PLAIN

    @tf.custom_gradient
    def run(share: Any, recurrent_kernel: Any, h: Any, c: Any, *projection: Any) -> Any:
        share, h, c, *kernels = constants(share, h, c, recurrent_kernel, *projection)
        outputs, last_h, last_c, factors = forward(share, kernels, h, c)

        def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, ...]:
            d_share, d_h, d_c, *d_projected = backward(d_outputs, factors, kernels, d_last_h, d_last_c)
            d_kernel = product_over_time(before(h, outputs), d_share)
            d_projection = [product_over_time(factors[-1], total) for total in d_projected]
            return d_share, d_kernel, d_h, d_c, *d_projection

        return (outputs, last_h, last_c), gradient

    found: tuple[Any, Any, Any] = run(share, recurrent_kernel, h, c, *([] if projection is None else [projection]))
    return found


def _forward(share: Any, kernels: list[Any], h: Any, c: Any) -> tuple[Any, ...]:
    """Outputs, last h and c, and the factors over time; the last of them is the output before projection, if there is one.

    With d for a loss's gradient, the way back is `d_c += d_output from_h`, then
    `d_z = (d_c by_i, d_c by_f, d_c by_g, d_output by_o)` and `d_c = d_c f`.
    """
    recurrent_kernel, *projection = kernels
    steps, units = share.shape[0], c.shape[-1]
    shares = read_over_time(share)
    collected = [collector(share, width) for width in (h.shape[-1], *[units] * (6 + len(projection)))]

    def step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        i, f, g, o = gates(shares.read(time) + tf.matmul(h, recurrent_kernel))
        kept = f * c
        c = kept + i * g
        tanh_c = tf.tanh(c)
        output = o * tanh_c
        by_i, by_f, by_g, by_o = g * i * (1 - i), kept * (1 - f), i * (1 - g * g), output * (1 - o)
        factors = [by_i, by_f, by_g, by_o, o * (1 - tanh_c * tanh_c), f]
        h = output
        for kernel in projection:
            factors.append(output)
            h = tf.matmul(output, kernel)
        return time + 1, h, c, *written(arrays, time, [h, *factors])

    _, h, c, *arrays = over_time(steps, step, (0, h, c, *collected))
    outputs, *factors = (array.stack() for array in arrays)
    return outputs, h, c, factors


def _backward(d_outputs: Any, factors: list[Any], kernels: list[Any], d_h: Any, d_c: Any) -> tuple[Any, ...]:
    """The gradients of the input's share, of the first h and of the first c; with a projection that of all it gave, too.

    Args:
        d_outputs: the outputs' gradient, over time.
        factors: of `_forward`.
        kernels: U, and P if there is one.
        d_h: the gradient of the last h, `(batch_size, m)`.
        d_c: likewise, `(batch_size, n)`.
    """
    # Once: a product that transposes at every step takes twice as long.
    recurrent_kernel, *projection = (tf.transpose(kernel) for kernel in kernels)
    steps = d_outputs.shape[0]
    given = [read_over_time(array) for array in (d_outputs, *factors[:6])]
    widths = [4 * d_c.shape[-1], *(d_h.shape[-1] for _ in projection)]
    collected = [collector(d_outputs, width) for width in widths]

    def step(count: Any, d_h: Any, d_c: Any, *arrays: Any) -> tuple[Any, ...]:
        time = steps - 1 - count
        d_output, by_i, by_f, by_g, by_o, from_h, f = (array.read(time) for array in given)
        d_h = d_h + d_output
        found = [d_h for _ in projection]
        for kernel in projection:
            d_h = tf.matmul(d_h, kernel)
        d_c = d_c + d_h * from_h
        d_z = tf.concat([d_c * by_i, d_c * by_f, d_c * by_g, d_h * by_o], axis=1)
        return count + 1, tf.matmul(d_z, recurrent_kernel), d_c * f, *written(arrays, time, [d_z, *found])

    _, d_h, d_c, *arrays = over_time(steps, step, (0, d_h, d_c, *collected))
    d_share, *totals = (array.stack() for array in arrays)
    return d_share, d_h, d_c, *totals


def gates(z: Any) -> tuple[Any, Any, Any, Any]:
    """The gates i, f, g and o, each `(batch_size, n)`, of their sums, `(batch_size, 4n)`."""
    i, f, g, o = tf.split(z, 4, axis=1)
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)


def constants(*tensors: Any) -> list[Any]:
    """The tensors, hidden from a tape: an eager one would record the compiled loops, whose lists XLA cannot hand to it."""
    return [tf.stop_gradient(tensor) for tensor in tensors]


def compiled_pair(forward: Callable[..., Any], backward: Callable[..., Any]) -> tuple[Any, Any]:
    """Two functions as XLA compiles them, at their first call for each shape."""
    return tuple(tf.function(function, jit_compile=True, autograph=False) for function in (forward, backward))


def before(first: Any, values: Any) -> Any:
    """What stood before each step, when the first stood before the first, and each value after its step."""
    return tf.concat([first[None], values[:-1]], 0)


def product_over_time(left: Any, right: Any) -> Any:
    """The sum of left^T right over time and batch, as one product."""
    return tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), tf.reshape(right, [-1, right.shape[-1]]), transpose_a=True)


def read_over_time(values: Any) -> Any:
    """An array over time of a tensor whose first axis is time."""
    return tf.TensorArray(values.dtype, values.shape[0], clear_after_read=False).unstack(values)


def collector(like: Any, width: int) -> Any:
    """An array over time of `(batch_size, width)`, as long as a tensor whose first axes are time and batch."""
    return tf.TensorArray(like.dtype, like.shape[0], element_shape=(like.shape[1], width))


def written(arrays: tuple[Any, ...], time: Any, values: list[Any]) -> list[Any]:
    """The arrays, with a value written to each."""
    return [array.write(time, value) for array, value in zip(arrays, values, strict=True)]


def over_time(steps: int, step: Any, first: tuple[Any, ...]) -> Any:
    """Runs a step so many times; its first argument counts them."""
    return tf.while_loop(lambda count, *_: count < steps, step, first, parallel_iterations=1, maximum_iterations=steps)


_PLAIN = (_forward, _backward)
_COMPILED = compiled_pair(_forward, _backward)
