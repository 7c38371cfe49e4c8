"""One step of the LSTMs that Keras does not have, layer-normalised or projected; knows nothing of windows or tokens.

Both are cells for `keras.layers.RNN`, with the weights of `keras.layers.LSTMCell` and more. Gates stand in Keras' order: input i,
forget f, candidate g, output o. With batch B, state size n and output size m (that of the projection, else n), a step is parted
into what `CellLSTM` can do for a whole window at once and what it cannot::

    share     = input_share(x W)                      (B, 4n)
    output, c' = advance(share, h U, c, *vectors)     (B, n) each
    h'        = output, or output P                   (B, m)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras
from keras import ops

from textgen.generation.layers import LAYER_NORM_EPSILON


class PartedLSTMCell(keras.layers.Layer, ABC):
    """A step in parts.

    Args:
        units: the state size n.
        output_size: m; None for n.
        kernel_initializer: for W.

    Attributes:
        projection: P `(n, m)`; None where there is none.
    """

    def __init__(
        self, units: int, output_size: int | None = None, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.output_size = output_size or units
        self.state_size = [self.output_size, units]
        self.projection: Any = None
        self._kernel_initializer = kernel_initializer

    def build(self, inputs_shape: Any) -> None:
        """Makes W `(width, 4n)`, U `(m, 4n)` and b `(4n,)`."""
        gates = 4 * self.units
        self.kernel = self.add_weight(
            shape=(inputs_shape[-1], gates), initializer=self._kernel_initializer, name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.output_size, gates), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(gates,), initializer=forget_bias_one, name="bias")

    @property
    def vectors(self) -> tuple[Any, ...]:
        """The weights that `advance` takes."""
        return ()

    def input_share(self, rows: Any) -> Any:
        """The input's share of the gates.

        Args:
            rows: `x W`, `(rows, 4n)`.
        """
        return rows + ops.cast(self.bias, rows.dtype)

    @staticmethod
    @abstractmethod
    def advance(share: Any, recurrent: Any, c: Any, *vectors: Any) -> tuple[Any, Any]:
        """The arithmetic of a step, without its products.

        Args:
            share: the input's share of the gates, `(B, 4n)`.
            recurrent: `h U`, likewise.
            c: `(B, n)`.
            vectors: the other weights.

        Returns:
            The output before projection and c', both `(B, n)`.
        """

    def call(self, inputs: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Makes one step.

        Args:
            inputs: x, `(B, width)`.
            states: h `(B, m)` and c `(B, n)`.
            training: passed on by Keras.

        Returns:
            h' and the list of h' and c'.
        """
        del training
        h, c = states
        share, recurrent = self.input_share(ops.matmul(inputs, self.kernel)), ops.matmul(h, self.recurrent_kernel)
        h, c = self.advance(share, recurrent, c, *self.vectors)
        if self.projection is not None:
            h = ops.matmul(h, self.projection)
        return h, [h, c]


class LayerNormLSTMCell(PartedLSTMCell):
    """The layer-normalised step of Ba, Kiros and Hinton (2016), equations 20 to 22.

    ::

    z  = input_scale LN(x W) + recurrent_scale LN(h U) + b
    c' = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g)
    h' = sigmoid(z_o) tanh(state_scale LN(c') + state_offset)
    """

    def build(self, inputs_shape: Any) -> None:
        """Makes what the plain cell has, both scales `(4n,)`, and the scale and offset of c' `(n,)`."""
        super().build(inputs_shape)
        gates = (4 * self.units,)
        self.input_scale = self.add_weight(shape=gates, initializer="ones", name="input_scale")
        self.recurrent_scale = self.add_weight(shape=gates, initializer="ones", name="recurrent_scale")
        self.state_scale = self.add_weight(shape=(self.units,), initializer="ones", name="state_scale")
        self.state_offset = self.add_weight(shape=(self.units,), initializer="zeros", name="state_offset")

    @property
    def vectors(self) -> tuple[Any, ...]:
        """The scale of the state's share, and scale and offset of c'."""
        return self.recurrent_scale, self.state_scale, self.state_offset

    def input_share(self, rows: Any) -> Any:
        """The normalised input's share of the gates."""
        return super().input_share(ops.cast(self.input_scale, rows.dtype) * normalise(rows))

    @staticmethod
    def advance(share: Any, recurrent: Any, c: Any, *vectors: Any) -> tuple[Any, Any]:
        """See the class."""
        recurrent_scale, state_scale, state_offset = vectors
        i, f, g, o = ops.split(share + recurrent_scale * normalise(recurrent), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(state_scale * normalise(c) + state_offset), c


class ProjectedLSTMCell(PartedLSTMCell):
    """The projected step of Sak, Senior and Beaufays (2014).

    ::

    z  = x W + h U + b
    c' = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g)
    h' = (sigmoid(z_o) tanh(c')) P
    """

    def build(self, inputs_shape: Any) -> None:
        """Makes what the plain cell has, and P `(n, m)`."""
        super().build(inputs_shape)
        self.projection = self.add_weight(
            shape=(self.units, self.output_size), initializer="glorot_uniform", name="projection"
        )

    @staticmethod
    def advance(share: Any, recurrent: Any, c: Any, *vectors: Any) -> tuple[Any, Any]:
        """See the class."""
        del vectors
        i, f, g, o = ops.split(share + recurrent, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c


def forget_bias_one(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Zeros, with ones for the forget gate (Jozefowicz et al. 2015), as Keras' `unit_forget_bias`."""
    units = shape[0] // 4
    return ops.concatenate([ops.zeros((units,), dtype), ops.ones((units,), dtype), ops.zeros((2 * units,), dtype)])


def normalise(values: Any) -> Any:
    """Shifts and scales each row to mean 0 and variance 1, computed in float32.

    Args:
        values: `(..., width)`, floating.
    """
    exact = ops.cast(values, "float32")
    mean, variance = ops.moments(exact, axes=-1, keepdims=True)
    return ops.cast((exact - mean) * ops.rsqrt(variance + LAYER_NORM_EPSILON), values.dtype)
