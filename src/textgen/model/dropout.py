"""Dropout from fewer random bits, at a rate that can change during training."""

from __future__ import annotations

from typing import Any

import keras

from textgen.model.replication import own_seed
from textgen.model.tensorflow_ops import draw_kept, make_scalar

_DRAWN_FROM = 1 << 16
"""The number of values of 16 bits."""


class Dropout(keras.layers.Dropout):
    """A `keras.layers.Dropout` that draws 16 random bits per value instead of 32, because drawing them is most of its work.

    The rate is therefore rounded to 1/65,536. The seed generator, which checkpoints contain, is that of the base class.

    Args:
        rate: the fraction of the values to drop; a layer with a rate of 0 always returns its inputs unchanged.
        kwargs: as for the base class.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self._kept = make_scalar(_count_kept(rate))

    def set_rate(self, rate: float) -> None:
        """Changes the rate from the next call on, also in functions that TensorFlow has already traced."""
        self.rate = rate
        self._kept.assign(_count_kept(rate))

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
        return self.drop(inputs, self.draw(inputs.shape))

    def draw(self, shape: tuple[int, ...]) -> Any:
        """Draws which values to keep; a bool tensor of a shape."""
        return draw_kept(shape, self._count(), own_seed(self.seed_generator.next()))

    def drop(self, inputs: Any, kept: Any) -> Any:
        """Drops all values but those that are kept, which are divided by the fraction that is kept.

        Args:
            inputs: floating.
            kept: bool, of the same shape.
        """
        scale = keras.ops.cast(_DRAWN_FROM / self._count(), inputs.dtype)
        return keras.ops.where(kept, inputs * scale, keras.ops.zeros_like(inputs))

    def _count(self) -> Any:
        """Returns how many of 65,536 values are kept, which can change between two steps."""
        return keras.ops.convert_to_tensor(self._kept)


def _count_kept(rate: float) -> int:
    """Returns how many of 65,536 values are kept, at least one and not all."""
    return min(max(1, round((1.0 - rate) * _DRAWN_FROM)), _DRAWN_FROM - 1)
