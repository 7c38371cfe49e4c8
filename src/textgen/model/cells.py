"""One step of an LSTM, plain, layer-normalised or projected; knows nothing of streams, windows or tokens.

A cell is given the input's share of the gates, `x W + b`, which the layer computes for a whole window at once, and adds
the state's share. Gates stand in Keras' order: input i, forget f, candidate g, output o.

With batch B, state size n and output size m (`num_proj`, else n), in the notation of Hochreiter and Schmidhuber (1997)
with the forget gate of Gers et al. (2000)::

    z = x W + b + h U
    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g)
    c' = f c + i g
    h' = o tanh(c')
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textgen.generation.layers import LAYER_NORM_EPSILON


class LSTMCell(keras.layers.Layer):
    """The plain step. Its weights and results are those of `keras.layers.LSTMCell`.

    Args:
        units: the state size n.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.output_size = units

    @property
    def state_size(self) -> list[int]:
        """The widths of the two states, h and c."""
        return [self.output_size, self.units]

    def build(self, inputs_shape: Any) -> None:  # noqa: ARG002 - the shape is fixed by the units
        """Makes the recurrent kernel U `(m, 4n)`."""
        self.recurrent_kernel = self.add_weight(
            shape=(self.output_size, 4 * self.units), initializer="orthogonal", name="recurrent_kernel"
        )

    def call(self, inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Makes one step.

        Args:
            inputs: the input's share of the gates, `(B, 4n)`.
            states: h `(B, m)` and c `(B, n)`.

        Returns:
            h' and the list of h' and c'.
        """
        h, c = states
        i, f, g, o = ops.split(inputs + self.recurrent_share(h), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = self.output(ops.sigmoid(o), c)
        return h, [h, c]

    def recurrent_share(self, h: Any) -> Any:
        """The state's share of the gates, `(B, 4n)`."""
        return ops.matmul(h, self.recurrent_kernel)

    def output(self, gate: Any, c: Any) -> Any:
        """The output h' `(B, m)` of the output gate and the new c', both `(B, n)`."""
        return gate * ops.tanh(c)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


class LayerNormLSTMCell(LSTMCell):
    """The layer-normalised step of Ba, Kiros and Hinton (2016), equations 20 to 22.

    The state's share is `LN(h U)`, scaled, and `h' = o tanh(LN(c'))`, scaled and shifted. The layer normalises the
    input's share alike.
    """

    def build(self, inputs_shape: Any) -> None:
        """Makes U, the scale of the state's share `(4n,)`, and the scale and offset of c' `(n,)`."""
        super().build(inputs_shape)
        self.recurrent_scale = self.add_weight(shape=(4 * self.units,), initializer="ones", name="recurrent_scale")
        self.state_scale = self.add_weight(shape=(self.units,), initializer="ones", name="state_scale")
        self.state_offset = self.add_weight(shape=(self.units,), initializer="zeros", name="state_offset")

    def recurrent_share(self, h: Any) -> Any:
        """The normalised state's share of the gates, `(B, 4n)`."""
        return self.recurrent_scale * normalise(super().recurrent_share(h))

    def output(self, gate: Any, c: Any) -> Any:
        """The output h' `(B, n)`."""
        return gate * ops.tanh(self.state_scale * normalise(c) + self.state_offset)


class ProjectedLSTMCell(LSTMCell):
    """The projected step of Sak, Senior and Beaufays (2014): `h' = (o tanh(c')) P`.

    Args:
        units: the state size n.
        projection_size: the output size m.
    """

    def __init__(self, units: int, projection_size: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.output_size = projection_size

    def build(self, inputs_shape: Any) -> None:
        """Makes U `(m, 4n)` and the projection P `(n, m)`."""
        super().build(inputs_shape)
        self.projection = self.add_weight(
            shape=(self.units, self.output_size), initializer="glorot_uniform", name="projection"
        )

    def output(self, gate: Any, c: Any) -> Any:
        """The output h' `(B, m)`."""
        return ops.matmul(super().output(gate, c), self.projection)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "projection_size": self.output_size}


def normalise(values: Any) -> Any:
    """Shifts and scales each row to mean 0 and variance 1, computed in float32.

    Args:
        values: `(..., width)`, floating.
    """
    exact = ops.cast(values, "float32")
    mean, variance = ops.moments(exact, axes=-1, keepdims=True)
    return ops.cast((exact - mean) * ops.rsqrt(variance + LAYER_NORM_EPSILON), values.dtype)
