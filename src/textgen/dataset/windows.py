"""Feeds training windows to Keras as a `tf.data` dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.dataset.encoding import data_options
from textgen.dataset.streams import Streams

if TYPE_CHECKING:
    import tensorflow as tf

PREFETCHED_STEPS = 4


def training_windows(
    streams: Streams, epoch: int, step: int, *, continues: bool = False, rows: Sequence[slice] = (slice(None),)
) -> tf.data.Dataset:
    """Returns an endless dataset of the streams' windows from a position on.

    Args:
        streams: the text, split into streams.
        epoch: the epoch of the position.
        step: the step within the epoch.
        continues: whether the model's state matches the position; otherwise the first window starts from zero.
        rows: the streams of each replica, equally many. Each step gives one element per replica, in this order.

    Returns:
        A dataset of `({"tokens", "keep"}, targets)`. Tokens and targets are `(streams, unroll_steps)` int32. Keep is
        `(streams, 1)` float32: 0 if the text does not continue that of the last window, so that the state is reset.
    """
    import tensorflow as tf

    first = epoch * streams.steps_per_epoch + step
    height = len(range(streams.batch_size)[rows[0]])
    shapes = {"tokens": (height, streams.unroll_steps), "keep": (height, 1)}

    def cut(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        total_steps, replica = divmod(int(number), len(rows))
        current_epoch, current_step = divmod(total_steps, streams.steps_per_epoch)
        keeps = continues if total_steps == first else current_step > 0
        window = streams.window(current_epoch, current_step, rows[replica])
        return *window, np.full(shapes["keep"], keeps, np.float32)

    def load(number: Any) -> tuple[dict[str, Any], Any]:
        tokens, targets, keep = tf.numpy_function(cut, [number], (tf.int32, tf.int32, tf.float32))
        tokens, targets = (tf.ensure_shape(ids, shapes["tokens"]) for ids in (tokens, targets))
        return {"tokens": tokens, "keep": tf.ensure_shape(keep, shapes["keep"])}, targets

    # Not from_generator, which makes the C library return all freed memory to the system (decision 14).
    windows = tf.data.Dataset.counter(first * len(rows)).map(load)
    return windows.prefetch(PREFETCHED_STEPS * len(rows)).with_options(data_options())
