"""Dropout at a small price; knows nothing of the layers around it."""

from __future__ import annotations

from typing import Any

import keras

from textgen.model.tensorflow_ops import draw_kept

_DRAWN_FROM = 1 << 16
"""The values of 16 bits."""


class Dropout(keras.layers.Dropout):
    """A `keras.layers.Dropout` that draws 16 random bits for a number instead of 32, as numbers cost more than what they drop.

    The rate is therefore kept to the nearest 1/65,536. The seed, which a checkpoint keeps, is the base class's.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops numbers while training.

        Args:
            inputs: of any shape that is known, floating.
            training: whether to drop; else the inputs are given back.

        Returns:
            The inputs, zero where dropped, elsewhere divided by the share that is kept.
        """
        if not training or not self.rate:
            return inputs
        share = min(max(1, round((1.0 - self.rate) * _DRAWN_FROM)), _DRAWN_FROM - 1)
        kept = draw_kept(inputs.shape, share, self.seed_generator.next())
        return keras.ops.where(kept, inputs * (_DRAWN_FROM / share), keras.ops.zeros_like(inputs))
