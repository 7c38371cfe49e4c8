"""A recurrent layer of layer-normalised or projected LSTM cells."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textgen.model.cells import LayerNormLSTMCell, OtherLSTMCell, ProjectedLSTMCell
from textgen.model.hoisted import HoistedLoop
from textgen.model.norm_loop import NormWeights, norm_loop
from textgen.model.time_loops import lstm_loop
from textgen.planning import ModelShape


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

    def run_loop(self, from_input: Any, *states: Any, compiled: bool) -> tuple[Any, ...]:
        """Runs the cell; see `lstm_loop` and `norm_loop`."""
        cell, (h, c) = self.cell, states
        kernel = self.weight(cell.recurrent_kernel)
        if self.projection_size is not None:
            return lstm_loop(from_input, kernel, h, c, projection=self.weight(cell.projection), compiled=compiled)
        centred = kernel - ops.mean(kernel, axis=1, keepdims=True)
        vectors = map(self.weight, (cell.recurrent_scale, cell.state_scale, cell.state_offset))
        return norm_loop(from_input, NormWeights(centred, *vectors), h, c, compiled=compiled)

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
