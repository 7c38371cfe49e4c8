"""Feeds training windows to Keras as a `tf.data` dataset; knows nothing of what is done with them."""

from __future__ import annotations

from collections.abc import Iterator

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
    windows = tf.TensorSpec((streams.batch_size, streams.unroll_steps), tf.int32)
    kept = tf.TensorSpec((streams.batch_size, 1), tf.float32)

    def generate() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        current_epoch, current_step, keeps = epoch, step, continues
        while True:
            tokens, targets = streams.window(current_epoch, current_step)
            yield {"tokens": tokens, "keep": np.full(kept.shape, keeps, np.float32)}, targets
            current_step += 1
            keeps = current_step < streams.steps_per_epoch
            if not keeps:
                current_epoch, current_step = current_epoch + 1, 0

    dataset = tf.data.Dataset.from_generator(generate, output_signature=({"tokens": windows, "keep": kept}, windows))
    return dataset.prefetch(PREFETCHED_STEPS).with_options(data_options())
