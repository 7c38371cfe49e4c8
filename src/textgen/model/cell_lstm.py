"""A recurrent layer of layer-normalised or projected cells; knows nothing of tokens, streams or the layers around it."""

from __future__ import annotations

from typing import Any

import keras

from textgen.model.cells import LayerNormLSTMCell, PartedLSTMCell, ProjectedLSTMCell
from textgen.model.hoisted import HoistedLoop
from textgen.model.time_loops import CellWeights, cell_loop


class CellLSTM(HoistedLoop):
    """`keras.layers.RNN` of a `LayerNormLSTMCell` or `ProjectedLSTMCell`, with the same results, faster.

    Args:
        units: the state size n.
        projection_size: the output size of a projected cell; None for a layer-normalised one.
        kernel_initializer: for the input's kernel.
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
        cell: PartedLSTMCell
        if projection_size is None:
            cell = LayerNormLSTMCell(units, **named)
        else:
            cell = ProjectedLSTMCell(units, projection_size, **named)
        super().__init__(cell, **kwargs)
        self.units = units
        self.projection_size = projection_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def finish_share(self, rows: Any) -> Any:
        """Normalises, if the cell does, and adds the bias."""
        return self.cell.input_share(rows)

    def run_loop(self, share: Any, h: Any, c: Any, *, compiled: bool) -> tuple[Any, Any, Any]:
        """Runs the cell; see `cell_loop`."""
        cell = self.cell
        weights = CellWeights(
            recurrent_kernel=self.weight(cell.recurrent_kernel),
            projection=() if cell.projection is None else (self.weight(cell.projection),),
            vectors=tuple(map(self.weight, cell.vectors)),
        )
        return cell_loop(cell.advance, share, weights, h, c, compiled=compiled)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
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
        """Makes the layer of a `get_config`; RNN's own would look for a cell."""
        return cls(**config)
