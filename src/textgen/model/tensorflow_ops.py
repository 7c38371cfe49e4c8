"""The operations that need TensorFlow itself; everything else in this package is written in `keras.ops`."""

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
