"""The recurrent layer: an LSTM over a window whose state goes on into the next; knows nothing of the layers around it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textgen.corpus import FIRST_TOKEN_ID
from textgen.model.cells import LayerNormLSTMCell, LSTMCell, ProjectedLSTMCell, normalise
from textgen.model.tensorflow_ops import gather_rows, lstm_loop

ONE_HOT_DEVIATION = 2.0
"""Of the first weights of a one-hot kernel, whose rows are never summed; Glorot's rule, which counts the whole vocabulary
as summed inputs, gives 0.04 and learns far slower (measured in docs/experiments.md)."""


class LSTM(keras.layers.RNN):
    """An LSTM over windows of contiguous streams, for truncated BPTT.

    The state at a window's end is where the next window of the same streams begins; the gradient stops at the window's
    edge. With the plain cell, weights and results are those of `keras.layers.LSTM(stateful=True)`. The input's share of
    the gates is one product for the whole window, before the loop over time.

    Args:
        units: the state size n.
        vocabulary_size: for a first layer that reads token ids: one-hot input is then a row of the kernel, looked up.
        projection_size: the output size of a projected cell; None for none.
        layer_norm: whether to normalise (see `LayerNormLSTMCell`).
    """

    def __init__(
        self,
        units: int,
        *,
        vocabulary_size: int | None = None,
        projection_size: int | None = None,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        named = {"name": "cell", "dtype": kwargs.get("dtype")}
        cell: LSTMCell
        if layer_norm:
            cell = LayerNormLSTMCell(units, **named)
        elif projection_size is not None:
            cell = ProjectedLSTMCell(units, projection_size, **named)
        else:
            cell = LSTMCell(units, **named)
        super().__init__(cell, return_sequences=True, stateful=True, **kwargs)
        self.units = units
        self.vocabulary_size = vocabulary_size
        self.projection_size = projection_size
        self.layer_norm = layer_norm

    def build(self, sequences_shape: tuple[int, ...], keep_shape: Any = None) -> None:  # noqa: ARG002 - Keras passes one shape an input
        """Makes the kernel W `(width, 4n)`, the bias b `(4n,)`, with `layer_norm` a scale `(4n,)`, and the cell's."""
        gates = 4 * self.units
        width = self.vocabulary_size or sequences_shape[-1]
        initializer = "glorot_uniform" if self.vocabulary_size is None else one_hot_kernel
        self.kernel = self.add_weight(shape=(width, gates), initializer=initializer, name="kernel")
        self.bias = self.add_weight(shape=(gates,), initializer=forget_bias_one, name="bias")
        if self.layer_norm:
            self.input_scale = self.add_weight(shape=(gates,), initializer="ones", name="input_scale")
        super().build((*sequences_shape[:2], gates))

    def call(self, sequences: Any, keep: Any, training: bool = False) -> Any:
        """Reads a window.

        Args:
            sequences: `(batch_size, unroll_steps, width)` floating, or `(batch_size, unroll_steps)` int32 token ids.
            keep: `(batch_size, 1)` floating; 1 where a stream's text goes on from the window before, 0 where not.
            training: passed on by Keras.

        Returns:
            `(batch_size, unroll_steps, m)`, m being `projection_size`, else n.
        """
        initial_state = [state * ops.cast(keep, state.dtype) for state in self.states]
        return super().call(self.input_share(sequences), initial_state=initial_state, training=training)

    def inner_loop(self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False) -> Any:
        """Runs the cell over time: the plain one with a gradient of its own, the others as Keras does.

        Args:
            sequences: the input's share of the gates, `(batch_size, unroll_steps, 4n)`.
            initial_state: h and c.
            mask: None; windows have no gaps.
            training: passed on by Keras.

        Returns:
            The last output, all outputs, and the last states.
        """
        if type(self.cell) is not LSTMCell:
            return super().inner_loop(sequences, initial_state, mask, training)
        kernel = ops.cast(self.cell.recurrent_kernel, sequences.dtype)
        outputs, h, c = lstm_loop(ops.transpose(sequences, (1, 0, 2)), kernel, *initial_state)
        return h, ops.transpose(outputs, (1, 0, 2)), [h, c]

    def input_share(self, sequences: Any) -> Any:
        """The input's share of the gates, `(batch_size, unroll_steps, 4n)`."""
        if self.vocabulary_size is None:
            share = ops.matmul(sequences, self.kernel)
        else:
            share = gather_rows(ops.cast(self.kernel, self.compute_dtype), sequences)
        if self.layer_norm:
            share = self.input_scale * normalise(share)
        return share + self.bias

    def compute_output_shape(self, sequences_shape: tuple[int, ...], keep_shape: Any = None) -> tuple[int, ...]:  # noqa: ARG002
        """`(batch_size, unroll_steps, m)`."""
        return (*sequences_shape[:2], self.cell.output_size)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **keras.layers.Layer.get_config(self),
            "units": self.units,
            "vocabulary_size": self.vocabulary_size,
            "projection_size": self.projection_size,
            "layer_norm": self.layer_norm,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LSTM:
        """Makes the layer of a `get_config`; RNN's own would look for a cell."""
        return cls(**config)


def forget_bias_one(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Zeros, with ones for the forget gate (Jozefowicz et al. 2015), as Keras' `unit_forget_bias`."""
    units = shape[0] // 4
    return ops.concatenate([ops.zeros((units,), dtype), ops.ones((units,), dtype), ops.zeros((2 * units,), dtype)])


def one_hot_kernel(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Normal numbers of deviation `ONE_HOT_DEVIATION`; zeros for padding and `[UNK]`, which a text may never train."""
    trained = ops.cast(ops.arange(shape[0]) >= FIRST_TOKEN_ID, dtype or "float32")
    return keras.random.normal(shape, stddev=ONE_HOT_DEVIATION, dtype=dtype) * trained[:, None]
