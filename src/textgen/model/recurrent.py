"""Recurrent layers that move products out of the loop over time.

`FastLSTM` is Keras' LSTM layer, and `CellLSTM` a layer of the cells that Keras lacks (`keras_cells`). `HoistedLoop` is their common base.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textgen.model.keras_cells import LayerNormLSTMCell, OtherLSTMCell, ProjectedLSTMCell
from textgen.model.norm_loop import NormWeights, make_norm_loop
from textgen.model.tensorflow_ops import add_bias, choose_loop, has_gpu, run_in_parts
from textgen.model.time_loops import make_lstm_loop
from textgen.planning import ModelShape


class HoistedLoop(keras.layers.RNN, ABC):
    """`keras.layers.RNN` with everything that does not depend on time hoisted out of its loop.

    Keras multiplies input and state by their kernels at each step of its loop over time. Here, the input projection is one large
    product before the loop, and the gradients of both kernels are large products after the backward loop. The rest of the
    loops is compiled, and each core runs it for a part of the batch (see `tensorflow_ops`).
    """

    @classmethod
    def options(cls, shape: ModelShape) -> dict[str, Any]:  # noqa: ARG003 - a projection needs it
        """Returns the arguments of the constructor that make the layer of a shape, besides `units`."""
        return {}

    def inner_loop(self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False) -> Any:
        """Runs the cell over a window.

        Args:
            sequences: `(batch_size, unroll_steps, width)`, floating.
            initial_state: the states, of which the first one is the output.
            mask: `(batch_size, unroll_steps)`, or None.
            training: passed by Keras.

        Returns:
            The last output, all outputs, and the last states.
        """
        if not self.runs_hoisted(sequences, mask):
            return super().inner_loop(sequences, initial_state, mask, training)
        loop = choose_loop(self.cell.units, sequences.shape[0])
        run = self.prepare(sequences.shape[:2], compiled=loop.compiled)

        def part(sequences: Any, *states: Any) -> tuple[Any, ...]:
            outputs, *last = run(ops.swapaxes(sequences, 0, 1), *states)
            return ops.swapaxes(outputs, 0, 1), *last

        outputs, *states = run_in_parts(part, [sequences, *initial_state], loop)
        return states[0], outputs, states

    def prepare(self, window: tuple[int, int], *, compiled: bool) -> Callable[..., Any]:
        """Prepares everything that the parts of a window share.

        Args:
            window: the whole window, `(batch_size, unroll_steps)`.
            compiled: whether XLA compiles the loop.

        Returns:
            A function of the input of a part, time first, and its initial states. It returns all outputs, time first, and the last states.
        """
        project, run = self.prepare_input(window), self.prepare_loop(compiled=compiled)
        return lambda inputs, *states: run(project(inputs), *states)

    def prepare_input(self, window: tuple[int, int]) -> Callable[[Any], Any]:
        """Prepares the input projection once for all parts of a window.

        Args:
            window: the whole window, `(batch_size, unroll_steps)`.

        Returns:
            A function of the input of a part. It returns the input projection, `(unroll_steps, part of batch_size, width)`.
        """
        del window
        kernel = self.weight(self.cell.kernel)
        return lambda inputs: _project(inputs, kernel, self.finish_input)

    def weight(self, variable: Any) -> Any:
        """Returns a weight in the dtype that the layer computes in."""
        return ops.cast(variable, self.compute_dtype)

    def runs_hoisted(self, sequences: Any, mask: Any) -> bool:
        """Returns whether this loop runs; otherwise Keras' own loop does."""
        plain = not (self.go_backwards or self.unroll)
        return plain and mask is None and None not in sequences.shape

    @abstractmethod
    def finish_input(self, rows: Any) -> Any:
        """Returns the input projection, given `x W`; both are `(rows, width)`."""

    @abstractmethod
    def prepare_loop(self, *, compiled: bool) -> Callable[..., Any]:
        """Prepares the loop over time once for all parts of a window.

        Args:
            compiled: whether XLA compiles the loop.

        Returns:
            A function of the input projection, time first, and the initial states. It returns all outputs, time first, and the last states.
        """


class FastLSTM(HoistedLoop, keras.layers.LSTM):
    """`keras.layers.LSTM` with the same arguments, weights, config and results, several times as fast on a CPU.

    Keras' own code, which uses cuDNN, runs on a GPU. It also runs if an argument changes the network (other activations, dropout
    inside the layer, no bias, `go_backwards`, `unroll`), with a mask, and for windows of unknown length.
    """

    @classmethod
    def options(cls, shape: ModelShape) -> dict[str, Any]:
        """On a GPU, makes Keras raise an error instead of running anything slower than cuDNN."""
        del shape
        return {"use_cudnn": has_gpu() or "auto"}

    def runs_hoisted(self, sequences: Any, mask: Any) -> bool:
        """Returns whether the hoisted loop runs; otherwise Keras' own loop does."""
        plain = (
            self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not (self.dropout or self.recurrent_dropout)
        )
        return plain and not has_gpu() and super().runs_hoisted(sequences, mask)

    def finish_input(self, rows: Any) -> Any:
        """Adds the bias."""
        return add_bias(rows, self.weight(self.cell.bias))

    def prepare_loop(self, *, compiled: bool) -> Callable[..., Any]:
        """Prepares the loop of the plain cell; see `make_lstm_loop`."""
        return make_lstm_loop(self.weight(self.cell.recurrent_kernel), compiled=compiled)


class CellLSTM(HoistedLoop):
    """A faster `keras.layers.RNN` of a `LayerNormLSTMCell` or `ProjectedLSTMCell`, with the same results.

    Args:
        units: the state size n.
        projection_size: the output size of a projected cell; None for a layer-normalised one.
        kernel_initializer: the initializer of the input kernel.
    """

    def __init__(
        self,
        units: int,
        *,
        projection_size: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        named = {"kernel_initializer": kernel_initializer, "name": "cell", "dtype": kwargs.get("dtype")}
        cell: OtherLSTMCell
        if projection_size is None:
            cell = LayerNormLSTMCell(units, **named)
        else:
            cell = ProjectedLSTMCell(units, projection_size, **named)
        super().__init__(cell, **kwargs)
        self.units = units
        self.projection_size = projection_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @classmethod
    def options(cls, shape: ModelShape) -> dict[str, Any]:
        """Returns the projection size."""
        return {"projection_size": shape.num_proj}

    def finish_input(self, rows: Any) -> Any:
        """Normalises the rows, if the cell does, and adds the bias."""
        return self.cell.finish_input(rows)

    def prepare_loop(self, *, compiled: bool) -> Callable[..., Any]:
        """Prepares the loop of the cell; see `make_lstm_loop` and `make_norm_loop`."""
        cell = self.cell
        kernel = self.weight(cell.recurrent_kernel)
        if self.projection_size is not None:
            return make_lstm_loop(kernel, self.weight(cell.projection), compiled=compiled)
        centred = kernel - ops.mean(kernel, axis=1, keepdims=True)
        vectors = map(self.weight, (cell.recurrent_scale, cell.state_scale, cell.state_offset))
        return make_norm_loop(NormWeights(centred, *vectors), compiled=compiled)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        del config["cell"]
        return {
            **config,
            "units": self.units,
            "projection_size": self.projection_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CellLSTM:
        """Makes a layer from the result of `get_config`, in which RNN's own method would expect a cell."""
        return cls(**config)


def _project(inputs: Any, kernel: Any, finish: Callable[[Any], Any]) -> Any:
    """Computes the input projection of vectors, for a whole window at once.

    Args:
        inputs: `(unroll_steps, batch_size, width)`, floating.
        kernel: W, `(width, 4n)`.
        finish: applied to rows of `x W`, `(rows, 4n)`.

    Returns:
        `(unroll_steps, batch_size, 4n)`.
    """
    steps, batch_size, width = inputs.shape
    rows = ops.reshape(inputs, (steps * batch_size, width))
    return ops.reshape(finish(ops.matmul(rows, kernel)), (steps, batch_size, kernel.shape[1]))
