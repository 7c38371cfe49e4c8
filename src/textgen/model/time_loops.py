"""Runs the plain and the projected LSTM cell over time in TensorFlow.

TensorFlow's own gradient of such a loop sums the gradient of the recurrent kernel step by step, with a small product per step.
Here the gradients are written out. The backward loop carries only h and c, and each kernel's gradient is one large product after
it. XLA can compile the rest of the loops.

The forward loops save not the gates but the factors of the backward pass. These cost little in the forward loop, where
everything that they are computed from is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def lstm_loop(
    from_input: Any, recurrent_kernel: Any, h: Any, c: Any, *, projection: Any = None, compiled: bool
) -> tuple[Any, Any, Any]:
    """Runs the cell over time.

    Args:
        from_input: the input projection, `(unroll_steps, batch_size, 4n)`, with gates in Keras' order i, f, g, o.
        recurrent_kernel: U, `(m, 4n)`.
        h: the initial output, `(batch_size, m)`.
        c: the initial cell state, `(batch_size, n)`.
        projection: P, `(n, m)`; None for the plain cell, whose m is n.
        compiled: whether XLA compiles the loops.

    Returns:
        All outputs, `(unroll_steps, batch_size, m)`, and the last h and c.
    """
    forward, backward = _COMPILED if compiled else _PLAIN

    @tf.custom_gradient
    def run(from_input: Any, recurrent_kernel: Any, h: Any, c: Any, *projection: Any) -> Any:
        from_input, h, c, *kernels = constants(from_input, h, c, recurrent_kernel, *projection)
        outputs, last_h, last_c, factors = forward(from_input, kernels, h, c)

        def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, ...]:
            d_input, d_h, d_c, *d_projected = backward(d_outputs, factors, kernels, d_last_h, d_last_c)
            d_kernel = product_over_time(before(h, outputs), d_input)
            d_projection = [product_over_time(factors[-1], total) for total in d_projected]
            return d_input, d_kernel, d_h, d_c, *d_projection

        return (outputs, last_h, last_c), gradient

    found: tuple[Any, Any, Any] = run(from_input, recurrent_kernel, h, c, *([] if projection is None else [projection]))
    return found


def _forward(from_input: Any, kernels: list[Any], h: Any, c: Any) -> tuple[Any, ...]:
    """Returns the outputs, the last h and c, and the factors over time. With a projection, the last factor is the unprojected output.

    With d for the gradient of a loss, the backward pass is `d_c += d_output from_h`, then
    `d_z = (d_c by_i, d_c by_f, d_c by_g, d_output by_o)` and `d_c = d_c f`.
    """
    recurrent_kernel, *projection = kernels
    steps, units = from_input.shape[0], c.shape[-1]
    inputs = read_over_time(from_input)
    collected = [collector(from_input, width) for width in (h.shape[-1], *[units] * (6 + len(projection)))]

    def step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        i, f, g, o = gates(inputs.read(time) + tf.matmul(h, recurrent_kernel))
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
    """Returns the gradients of the input projection, the initial h and the initial c; with P, also those of the projected outputs.

    Args:
        d_outputs: the gradient of the outputs, over time.
        factors: the factors of `_forward`.
        kernels: U, and P if there is a projection.
        d_h: the gradient of the last h, `(batch_size, m)`.
        d_c: the gradient of the last c, `(batch_size, n)`.
    """
    # Transposed once, because a product that transposes at every step takes twice as long.
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
    d_input, *totals = (array.stack() for array in arrays)
    return d_input, d_h, d_c, *totals


def gates(z: Any) -> tuple[Any, Any, Any, Any]:
    """Returns the gates i, f, g and o, each `(batch_size, n)`, given the pre-activations, `(batch_size, 4n)`."""
    i, f, g, o = tf.split(z, 4, axis=1)
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)


def constants(*tensors: Any) -> list[Any]:
    """Hides tensors from a tape. In eager mode it would record the compiled loops, whose tensor lists XLA cannot return."""
    return [tf.stop_gradient(tensor) for tensor in tensors]


def compiled_pair(forward: Callable[..., Any], backward: Callable[..., Any]) -> tuple[Any, Any]:
    """Returns two functions that XLA compiles at their first call for each shape."""
    return tuple(tf.function(function, jit_compile=True, autograph=False) for function in (forward, backward))


def before(first: Any, values: Any) -> Any:
    """Returns the value before each step, given the value before the first step and the values after each step."""
    return tf.concat([first[None], values[:-1]], 0)


def product_over_time(left: Any, right: Any) -> Any:
    """Returns the sum of left^T right over time and batch, as one product."""
    return tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), tf.reshape(right, [-1, right.shape[-1]]), transpose_a=True)


def read_over_time(values: Any) -> Any:
    """Makes a tensor array over the first axis of a tensor, which is time."""
    return tf.TensorArray(values.dtype, values.shape[0], clear_after_read=False).unstack(values)


def collector(like: Any, width: int) -> Any:
    """Makes an empty tensor array of `(batch_size, width)` over time; `like` has the axes time, batch and more."""
    return tf.TensorArray(like.dtype, like.shape[0], element_shape=(like.shape[1], width))


def written(arrays: tuple[Any, ...], time: Any, values: list[Any]) -> list[Any]:
    """Writes a value to each of the arrays."""
    return [array.write(time, value) for array, value in zip(arrays, values, strict=True)]


def over_time(steps: int, step: Any, first: tuple[Any, ...]) -> Any:
    """Runs a function N times, for N = `steps`; its first argument counts the calls."""
    return tf.while_loop(lambda count, *_: count < steps, step, first, parallel_iterations=1, maximum_iterations=steps)


_PLAIN = (_forward, _backward)
_COMPILED = compiled_pair(_forward, _backward)
