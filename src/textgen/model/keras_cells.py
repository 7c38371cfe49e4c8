"""The layer-normalised and the projected LSTM cell, which Keras lacks.

Both are cells for `keras.layers.RNN`, and extend the weights of `keras.layers.LSTMCell`. Gates are in Keras' order: input i,
forget f, candidate g, output o. With batch size B, state size n and output size m (n without a projection), a step is::

    z  = finish_input(x W) + finish_recurrent(h U)
    c' = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g)
    h' = output(sigmoid(z_o), c')

Each cell defines these three functions. `CellLSTM` applies `finish_input` to a whole window at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras
from keras import ops

from textgen.planning.cells import LAYER_NORM_EPSILON


class OtherLSTMCell(keras.layers.Layer, ABC):
    """The common base of the cells, with W, U, b and the step.

    Args:
        units: the state size n.
        output_size: the output size m; None for n.
        kernel_initializer: the initializer of W.
    """

    def __init__(
        self, units: int, output_size: int | None = None, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.output_size = output_size or units
        self.state_size = [self.output_size, units]
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

    def finish_input(self, rows: Any) -> Any:
        """Adds the bias to the input projection.

        Args:
            rows: `x W`, `(rows, 4n)`.
        """
        return rows + ops.cast(self.bias, rows.dtype)

    @abstractmethod
    def finish_recurrent(self, rows: Any) -> Any:
        """Returns the recurrent part of the gate pre-activations, given `h U`; both are `(B, 4n)`."""

    @abstractmethod
    def output(self, gate: Any, c: Any) -> Any:
        """Returns the output h' `(B, m)`, given the output gate and c', both `(B, n)`."""

    def call(self, inputs: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Runs one step.

        Args:
            inputs: x, `(B, width)`.
            states: h `(B, m)` and c `(B, n)`.
            training: passed by Keras, and not used.

        Returns:
            h' and the list of h' and c'.
        """
        del training
        h, c = states
        z = self.finish_input(ops.matmul(inputs, self.kernel)) + self.finish_recurrent(
            ops.matmul(h, self.recurrent_kernel)
        )
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = self.output(ops.sigmoid(o), c)
        return h, [h, c]


class LayerNormLSTMCell(OtherLSTMCell):
    """The layer-normalised step of Ba, Kiros and Hinton (2016), equations 20 to 22.

    `x W` and `h U` are normalised and scaled, and c' is normalised, scaled and shifted before its tanh.
    """

    def build(self, inputs_shape: Any) -> None:
        """Makes W, U and b, the scales of `x W` and `h U` `(4n,)`, and the scale and offset of c' `(n,)`."""
        super().build(inputs_shape)
        gates = (4 * self.units,)
        self.input_scale = self.add_weight(shape=gates, initializer="ones", name="input_scale")
        self.recurrent_scale = self.add_weight(shape=gates, initializer="ones", name="recurrent_scale")
        self.state_scale = self.add_weight(shape=(self.units,), initializer="ones", name="state_scale")
        self.state_offset = self.add_weight(shape=(self.units,), initializer="zeros", name="state_offset")

    def finish_input(self, rows: Any) -> Any:
        """Normalises the input projection, scales it and adds the bias."""
        return super().finish_input(ops.cast(self.input_scale, rows.dtype) * normalise(rows))

    def finish_recurrent(self, rows: Any) -> Any:
        """Normalises and scales `h U`."""
        return self.recurrent_scale * normalise(rows)

    def output(self, gate: Any, c: Any) -> Any:
        """Returns the output for the normalised c'."""
        return gate * ops.tanh(self.state_scale * normalise(c) + self.state_offset)


class ProjectedLSTMCell(OtherLSTMCell):
    """The projected step of Sak, Senior and Beaufays (2014): the output is multiplied by P before it is fed back."""

    def build(self, inputs_shape: Any) -> None:
        """Makes W, U and b, and P `(n, m)`."""
        super().build(inputs_shape)
        self.projection = self.add_weight(
            shape=(self.units, self.output_size), initializer="glorot_uniform", name="projection"
        )

    def finish_recurrent(self, rows: Any) -> Any:
        """Returns `h U` unchanged."""
        return rows

    def output(self, gate: Any, c: Any) -> Any:
        """Returns the projected output."""
        return ops.matmul(gate * ops.tanh(c), self.projection)


def forget_bias_one(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Returns ones for the forget gate and zeros elsewhere (Jozefowicz et al. 2015), like Keras' `unit_forget_bias`."""
    units = shape[0] // 4
    return ops.concatenate([ops.zeros((units,), dtype), ops.ones((units,), dtype), ops.zeros((2 * units,), dtype)])


def normalise(values: Any) -> Any:
    """Normalises each row to mean 0 and variance 1, in float32.

    Args:
        values: `(..., width)`, floating.
    """
    exact = ops.cast(values, "float32")
    mean, variance = ops.moments(exact, axes=-1, keepdims=True)
    return ops.cast((exact - mean) * ops.rsqrt(variance + LAYER_NORM_EPSILON), values.dtype)
