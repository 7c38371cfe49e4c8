"""Feeds training windows to Keras as a `tf.data` dataset; knows nothing of what is done with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from textgen.dataset.encoding import data_options
from textgen.dataset.streams import Streams

PREFETCHED_STEPS = 4


def training_windows(streams: Streams, epoch: int, step: int, *, continues: bool = False) -> tf.data.Dataset:
    """The windows of the streams from a position on, epoch after epoch, without end.

    Args:
        streams: the folded text.
        epoch: the position's epoch.
        step: its step within the epoch.
        continues: whether the model's state is that of the position; otherwise the first window starts from zero.

    Returns:
        A dataset of `({"tokens", "keep"}, targets)`: tokens and targets `(batch_size, unroll_steps)` int32, and keep
        `(batch_size, 1)` float32, 0 where the text does not go on from the window before and the state starts anew.
    """
    first = epoch * streams.steps_per_epoch + step
    shapes = {"tokens": (streams.batch_size, streams.unroll_steps), "keep": (streams.batch_size, 1)}

    def cut(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        current_epoch, current_step = divmod(int(number), streams.steps_per_epoch)
        keeps = continues if number == first else current_step > 0
        return *streams.window(current_epoch, current_step), np.full(shapes["keep"], keeps, np.float32)

    def load(number: Any) -> tuple[dict[str, Any], Any]:
        tokens, targets, keep = tf.numpy_function(cut, [number], (tf.int32, tf.int32, tf.float32))
        tokens, targets = (tf.ensure_shape(ids, shapes["tokens"]) for ids in (tokens, targets))
        return {"tokens": tokens, "keep": tf.ensure_shape(keep, shapes["keep"])}, targets

    # Not from_generator, which makes the C library give all memory back (decision 14).
    windows = tf.data.Dataset.counter(first).map(load)
    return windows.prefetch(PREFETCHED_STEPS).with_options(data_options())
