"""Dropout from fewer random bits."""

from __future__ import annotations

from typing import Any

import keras

from textgen.model.tensorflow_ops import draw_kept

_DRAWN_FROM = 1 << 16
"""The number of values of 16 bits."""


class Dropout(keras.layers.Dropout):
    """A `keras.layers.Dropout` that draws 16 random bits per value instead of 32, because drawing them is most of its work.

    The rate is therefore rounded to 1/65,536. The seed generator, which checkpoints contain, is that of the base class.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops values during training.

        Args:
            inputs: floating, of any static shape.
            training: whether to drop values; if not, the inputs are returned unchanged.

        Returns:
            The inputs: zero where dropped, elsewhere divided by the fraction that is kept.
        """
        if not training or not self.rate:
            return inputs
        count = min(max(1, round((1.0 - self.rate) * _DRAWN_FROM)), _DRAWN_FROM - 1)
        kept = draw_kept(inputs.shape, count, self.seed_generator.next())
        return keras.ops.where(kept, inputs * (_DRAWN_FROM / count), keras.ops.zeros_like(inputs))
