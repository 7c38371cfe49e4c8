"""Keras' LSTM layer, faster on a CPU."""

from __future__ import annotations

from typing import Any

import keras

from textgen.model.hoisted import HoistedLoop
from textgen.model.tensorflow_ops import has_gpu
from textgen.model.time_loops import lstm_loop
from textgen.planning import ModelShape


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
        return rows + self.weight(self.cell.bias)

    def run_loop(self, from_input: Any, *states: Any, compiled: bool) -> tuple[Any, ...]:
        """Runs the plain cell; see `lstm_loop`."""
        h, c = states
        return lstm_loop(from_input, self.weight(self.cell.recurrent_kernel), h, c, compiled=compiled)
