"""The layers' operations that need TensorFlow itself; the layers are written in `keras.ops`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.custom_gradient
def gather_rows(table: Any, ids: Any) -> Any:
    """Looks up rows of a table, with a dense gradient.

    The gradient of `tf.gather` is a list of rows in which a repeated id stands several times: Adam then squares each
    before summing, and a clipping norm sums the squares of the parts, both of which are wrong. Here the rows of one id
    are summed first.

    Args:
        table: `(rows, width)`, floating.
        ids: `(batch_size, unroll_steps)`, int32.

    Returns:
        `(batch_size, unroll_steps, width)`, of the table's dtype.
    """
    rows, width = table.shape

    def gradient(upstream: Any) -> tuple[Any, None]:
        summed = tf.math.unsorted_segment_sum(tf.reshape(upstream, [-1, width]), tf.reshape(ids, [-1]), rows)
        return summed, None

    return tf.gather(table, ids), gradient


@tf.custom_gradient
def lstm_loop(share: Any, recurrent_kernel: Any, h: Any, c: Any) -> Any:
    """Runs the plain LSTM cell over time, with its gradient written out.

    What TensorFlow derives by itself adds the gradient of the recurrent kernel up step by step, a small product each.
    Here the backward loop carries only h and c, and the kernel's gradient is one large product after it.

    Args:
        share: the input's share of the gates, `(unroll_steps, batch_size, 4n)`, in Keras' order i, f, g, o.
        recurrent_kernel: `(n, 4n)`.
        h: the first state, `(batch_size, n)`.
        c: likewise.

    Returns:
        All outputs, `(unroll_steps, batch_size, n)`, and the last h and c.
    """
    steps, batch, units = share.shape[0], share.shape[1], h.shape[-1]
    outputs, last_h, last_c, cells, gates = _forward_loop(share, recurrent_kernel, h, c)

    def gradient(d_outputs: Any, d_last_h: Any, d_last_c: Any) -> tuple[Any, Any, Any, Any]:
        cells_before = tf.concat([c[None], cells[:-1]], 0)
        kept = (d_outputs, gates, cells_before, tf.tanh(cells))
        d_share, d_h, d_c = _backward_loop(kept, recurrent_kernel, d_last_h, d_last_c)
        outputs_before = tf.concat([h[None], outputs[:-1]], 0)
        d_kernel = tf.matmul(
            tf.reshape(outputs_before, [steps * batch, units]),
            tf.reshape(d_share, [steps * batch, 4 * units]),
            transpose_a=True,
        )
        return d_share, d_kernel, d_h, d_c

    return (outputs, last_h, last_c), gradient


def _forward_loop(share: Any, recurrent_kernel: Any, h: Any, c: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Outputs, last h and c, and for the way back every c' and the gates after their nonlinearities."""
    steps, units = share.shape[0], h.shape[-1]
    shares = tf.TensorArray(share.dtype, steps).unstack(share)
    collected = tuple(_collector(share, width) for width in (units, units, 4 * units))

    def step(time: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        z = shares.read(time) + tf.matmul(h, recurrent_kernel)
        i_f, z_g, z_o = tf.split(z, [2 * units, units, units], axis=1)
        i_f, g, o = tf.sigmoid(i_f), tf.tanh(z_g), tf.sigmoid(z_o)
        c = i_f[:, units:] * c + i_f[:, :units] * g
        h = o * tf.tanh(c)
        found = (h, c, tf.concat([i_f, g, o], axis=1))
        return time + 1, h, c, *(array.write(time, value) for array, value in zip(arrays, found, strict=True))

    _, h, c, *written = _loop(steps, step, (0, h, c, *collected))
    outputs, cells, gates = (array.stack() for array in written)
    return outputs, h, c, cells, gates


def _backward_loop(kept: tuple[Any, ...], recurrent_kernel: Any, d_h: Any, d_c: Any) -> tuple[Any, Any, Any]:
    """The gradients of the input's share, of the first h and of the first c.

    Args:
        kept: over time, the outputs' gradient, the gates, the c before each step, and tanh of the c after it.
        recurrent_kernel: `(n, 4n)`.
        d_h: the gradient of the last h, `(batch_size, n)`.
        d_c: likewise.
    """
    d_outputs = kept[0]
    steps, units = d_outputs.shape[0], d_outputs.shape[-1]
    transposed = tf.transpose(recurrent_kernel)  # once: a product that transposes at every step takes twice as long
    given = [tf.TensorArray(array.dtype, steps).unstack(array) for array in kept]

    def step(count: Any, d_h: Any, d_c: Any, d_shares: Any) -> tuple[Any, ...]:
        time = steps - 1 - count
        d_output, gate, c_before, tanh_c = (array.read(time) for array in given)
        i, f, g, o = tf.split(gate, 4, axis=1)
        d_h = d_h + d_output
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_z = tf.concat(
            [
                d_c * g * i * (1 - i),
                d_c * c_before * f * (1 - f),
                d_c * i * (1 - g * g),
                d_h * tanh_c * o * (1 - o),
            ],
            axis=1,
        )
        d_h = tf.matmul(d_z, transposed)
        return count + 1, d_h, d_c * f, d_shares.write(time, d_z)

    _, d_h, d_c, d_shares = _loop(steps, step, (0, d_h, d_c, _collector(d_outputs, 4 * units)))
    return d_shares.stack(), d_h, d_c


def _collector(like: Any, width: int) -> Any:
    """An array over time of `(batch_size, width)`."""
    return tf.TensorArray(like.dtype, like.shape[0], element_shape=(like.shape[1], width))


def _loop(steps: int, step: Any, first: tuple[Any, ...]) -> Any:
    """Runs a step so many times; its first argument counts them."""
    return tf.while_loop(lambda count, *_: count < steps, step, first, parallel_iterations=1, maximum_iterations=steps)
