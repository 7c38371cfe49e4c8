"""Runs the plain and the projected LSTM cell over time in TensorFlow.

TensorFlow's own gradient of such a loop sums the gradient of the recurrent kernel step by step, with a small product per step.
Here the gradients are written out. The backward loop carries only h and c, and each kernel's gradient is one large product after
it. XLA can compile the rest of the loops.

The forward loops save not the gates but the factors of the backward pass. These cost little in the forward loop, where
everything that they are computed from is at hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def make_lstm_loop(recurrent_kernel: Any, projection: Any = None, *, compiled: bool) -> Callable[..., Any]:
    """Prepares the cell's loops over time, once for all parts of a batch.

    Args:
        recurrent_kernel: U, `(m, 4n)`, with gates in Keras' order i, f, g, o.
        projection: P, `(n, m)`; None for the plain cell, whose m is n.
        compiled: whether XLA compiles the loops.

    Returns:
        A function of the input projection, `(unroll_steps, batch_size, 4n)`, the initial output, `(batch_size, m)`, and the initial cell
        state, `(batch_size, n)`. It returns all outputs, `(unroll_steps, batch_size, m)`, and the last h and c.
    """
    kernels = [recurrent_kernel] if projection is None else [recurrent_kernel, projection]
    transposed = [tf.transpose(kernel) for kernel in constants(*kernels)]
    forward, backward = _COMPILED if compiled else _PLAIN

    @tf.custom_gradient
    def run(from_input: Any, h: Any, c: Any, *kernels: Any) -> Any:
        from_input, h, c, *own = constants(from_input, h, c, *kernels)
        outputs, last_h, last_c, unprojected, factors = forward(from_input, own, h, c)

        def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, ...]:
            d_input, d_h, d_c, *d_projected = backward(factors, d_outputs, transposed, (d_last_h, d_last_c))
            d_kernel = product_over_time(before(h, outputs), d_input)
            d_projection = [product_over_time(*pair) for pair in zip(unprojected, d_projected, strict=True)]
            return d_input, d_h, d_c, d_kernel, *d_projection

        return (outputs, last_h, last_c), gradient

    return lambda from_input, h, c: run(from_input, h, c, *kernels)


def _forward(sigmoid: Callable[[Any], Any], from_input: Any, kernels: list[Any], h: Any, c: Any) -> tuple[Any, ...]:
    """Returns the outputs, the last h and c, the outputs before the projection if there is one, and the arrays of the factors.

    With d for the gradient of a loss, the backward pass is `d_c += d_output from_h`, then
    `d_z = (d_c by_i, d_c by_f, d_c by_g, d_output by_o)` and `d_c = d_c f`.
    """
    recurrent_kernel, *projection = kernels
    steps, units = from_input.shape[0], c.shape[-1]
    inputs = read_over_time(from_input)
    widths = [h.shape[-1], *(units for _ in projection)]
    collected = [collector(from_input, width) for width in (*widths, *[units] * 6)]

    def step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        i, f, g, o = gates(inputs.read(time) + tf.matmul(h, recurrent_kernel), sigmoid)
        kept = f * c
        c = kept + i * g
        tanh_c = tf.tanh(c)
        output = o * tanh_c
        by_i, by_f, by_g, by_o = g * i * (1 - i), kept * (1 - f), i * (1 - g * g), output * (1 - o)
        factors = [by_i, by_f, by_g, by_o, o * (1 - tanh_c * tanh_c), f]
        found = [output]
        for kernel in projection:
            found.insert(0, tf.matmul(output, kernel))
        return time + 1, found[0], c, *written(arrays, time, [*found, *factors])

    _, h, c, *arrays = over_time(steps, step, (0, h, c, *collected))
    outputs, *unprojected = (array.stack() for array in arrays[: len(widths)])
    return outputs, h, c, unprojected, arrays[len(widths) :]


def _backward(factors: list[Any], d_outputs: Any, transposed: list[Any], d_states: tuple[Any, Any]) -> tuple[Any, ...]:
    """Returns the gradients of the input projection, the initial h and the initial c; with P, also those of the projected outputs.

    Args:
        factors: the arrays of `_forward`.
        d_outputs: the gradient of the outputs, over time.
        transposed: U^T, and P^T if there is a projection. A product that transposes at every step would take twice as long.
        d_states: the gradients of the last h and the last c.
    """
    (recurrent_kernel, *projection), (d_h, d_c) = transposed, d_states
    steps = d_outputs.shape[0]
    given = read_over_time(d_outputs)
    widths = [4 * d_c.shape[-1], *(d_h.shape[-1] for _ in projection)]
    collected = [collector(d_outputs, width) for width in widths]

    def step(count: Any, d_h: Any, d_c: Any, *arrays: Any) -> tuple[Any, ...]:
        time = steps - 1 - count
        d_output, by_i, by_f, by_g, by_o, from_h, f = (array.read(time) for array in (given, *factors))
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


def gates(z: Any, sigmoid: Callable[[Any], Any]) -> tuple[Any, Any, Any, Any]:
    """Returns the gates i, f, g and o, each `(batch_size, n)`, given the pre-activations, `(batch_size, 4n)`."""
    i, f, g, o = tf.split(z, 4, axis=1)
    return sigmoid(i), sigmoid(f), tf.tanh(g), sigmoid(o)


def constants(*tensors: Any) -> list[Any]:
    """Hides tensors from a tape. In eager mode it would record the compiled loops, whose tensor lists XLA cannot return."""
    return [tf.stop_gradient(tensor) for tensor in tensors]


def loop_pairs(forward: Callable[..., Any], backward: Callable[..., Any]) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Makes both kinds of loops of a cell.

    Args:
        forward: a function of the sigmoid to use, and other arguments. The last one of its results are arrays.
        backward: a function of these arrays, and other arguments.

    Returns:
        Two functions that run TensorFlow's own loops, and two that XLA compiles at their first call for each shape.
    """

    def forward_with_tensors(*given: Any) -> Any:
        *found, arrays = forward(_sigmoid_by_tanh, *given)
        return *found, [array.stack() for array in arrays]

    def backward_with_tensors(tensors: list[Any], *given: Any) -> Any:
        return backward([read_over_time(tensor) for tensor in tensors], *given)

    both = (forward_with_tensors, backward_with_tensors)  # XLA's functions cannot return arrays
    compiled = tuple(tf.function(function, jit_compile=True, autograph=False) for function in both)
    return (functools.partial(forward, tf.sigmoid), backward), compiled


def _sigmoid_by_tanh(values: Any) -> Any:
    """Computes the sigmoid in the way that is faster in XLA; in half precision it would be inexact."""
    return 0.5 * tf.tanh(0.5 * values) + 0.5 if values.dtype == tf.float32 else tf.sigmoid(values)


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
    return tf.TensorArray(like.dtype, like.shape[0], element_shape=(like.shape[1], width), clear_after_read=False)


def written(arrays: tuple[Any, ...], time: Any, values: list[Any]) -> list[Any]:
    """Writes a value to each of the arrays."""
    return [array.write(time, value) for array, value in zip(arrays, values, strict=True)]


def over_time(steps: int, step: Any, first: tuple[Any, ...]) -> Any:
    """Runs a function N times, for N = `steps`; its first argument counts the calls."""
    return tf.while_loop(lambda count, *_: count < steps, step, first, parallel_iterations=1, maximum_iterations=steps)


_PLAIN, _COMPILED = loop_pairs(_forward, _backward)
