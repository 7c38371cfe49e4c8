"""One step of the LSTM, in NumPy: token ids in, the logits of the next tokens out; knows nothing of text.

The cell of Hochreiter and Schmidhuber (1997) with the forget gate of Gers, Schmidhuber and Cummins (2000), for a layer
that reads x and has the state (h, c)::

    i, f, g, o = split(x W + h U + b)
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(c')

With `num_proj` (Sak, Senior and Beaufays 2014, "Long short-term memory recurrent neural network architectures for
large scale acoustic modeling", section 2), h' is multiplied by a matrix P: what leaves the layer, and returns to it,
is narrow.

With `layer_norm` (Ba, Kiros and Hinton 2016, "Layer normalization", equations 20 to 22), LN(a; s) = s * (a - mean(a)) /
sqrt(variance(a) + epsilon) keeps the sums in range::

    i, f, g, o = split(LN(x W; input_scale) + LN(h U; recurrent_scale) + b)
    h' = sigmoid(o) * tanh(LN(c'; state_scale) + state_offset)

A step of a small model is a few dozen calls of NumPy, so `layers` (where the weights are prepared) and this module make
them few, and allocate nothing: what a token gives the first layer is one row of a table; each layer's input and state
lie side by side, [x, 1, h], and meet kernel, bias and recurrent kernel in one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgen.generation.layers import Cell, LayerWeights, NormalisedCell, PlainCell, fold_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.layers import Floats
    from textgen.generation.model_file import ModelFile


class LSTMStep:
    """The network of a model file, its weights prepared for reading one token at a time.

    Args:
        model: the model file.

    Example:
        >>> run = LSTMStep(model).start()
        >>> logits = run(np.array([5]))
    """

    def __init__(self, model: ModelFile) -> None:
        tensors = model.tensors
        self.vocabulary_size = model.vocabulary.size
        self.table, self.embedding = fold_input(tensors)
        self.layers = [
            LayerWeights(tensors, index, reads_table=index == 0 and self.table is not None)
            for index in range(model.shape["layers"])
        ]
        self.output = np.vstack([tensors["output.kernel"], tensors["output.bias"]])

    @cached_property
    def table_by_column(self) -> Floats | None:
        """The table with a column a token, from which those of a batch are taken."""
        return None if self.table is None else np.ascontiguousarray(self.table.T)

    def start(self, batch: int = 1) -> LSTMRun:
        """Begins to read texts, with zero states.

        Args:
            batch: how many, side by side.

        Returns:
            The run.
        """
        return LSTMRun(self, batch)


class LSTMRun:
    """Texts that are being read side by side: their states, and the buffers that a step needs.

    Inside, arrays have the features first and the batch last, (features, batch), or (features,) for one text, so that
    each gate is one contiguous block.

    Args:
        step: the network.
        batch: how many texts.
    """

    def __init__(self, step: LSTMStep, batch: int) -> None:
        self._step = step
        self._columns = () if batch == 1 else (batch,)
        embedded = 0 if step.embedding is None else step.embedding.shape[1] + 1
        size = embedded + sum(layer.output_size + 1 for layer in step.layers)
        # embedded token, 1, h of the first layer, 1, h of the second, 1, ...: every layer finds [x, 1, h] in here.
        self._chain = np.zeros((size, *self._columns), np.float32)
        self._embedded = self._chain[: max(embedded - 1, 0)]
        self._cells: list[Cell] = []
        x, start = self._embedded, embedded
        if embedded:
            self._chain[embedded - 1] = 1
        for layer in step.layers:
            stop = start + layer.output_size
            self._chain[stop] = 1
            kind = NormalisedCell if layer.norm else PlainCell
            whole = self._chain[start - len(x) - 1 if len(x) else start : stop]
            self._cells.append(kind(layer, x, self._chain[start:stop], whole))
            x, start = self._chain[start:stop], stop + 1
        self._last = self._chain[start - len(x) - 1 : start].T
        self._given = None if step.table is None or batch == 1 else np.empty((step.table.shape[1], batch), np.float32)
        self._logits = np.empty((*self._columns, step.vocabulary_size), np.float32)
        self._rows = self._logits.reshape(batch, step.vocabulary_size)

    @np.errstate(over="ignore")  # exp(-z) of a gate that is firmly shut is infinite, and the gate 1 / (1 + inf) = 0
    def __call__(self, ids: NDArray[np.integer]) -> Floats:
        """Reads one token in each text.

        Args:
            ids: the token ids, integers, (batch,).

        Returns:
            The logits of the next tokens, float32, (batch, vocabulary size); a buffer that the next call overwrites.
        """
        given = self._look_up(ids)
        for cell in self._cells:
            cell(given)
            given = None
        np.dot(self._last, self._step.output, self._logits)
        return self._rows

    def select(self, rows: Sequence[int]) -> LSTMRun:
        """Makes another run that goes on from the states of some texts.

        Args:
            rows: which texts, in which order; one may come several times, to be continued in several ways.

        Returns:
            The run; this one is not modified, and goes on by itself.
        """
        run = LSTMRun(self._step, len(rows))
        for ours, theirs in zip(self._states, run._states, strict=True):
            theirs[...] = ours.reshape(len(ours), -1)[:, rows].reshape(theirs.shape)
        return run

    @property
    def _states(self) -> list[Floats]:
        return [self._chain, *(cell.c for cell in self._cells)]

    def _look_up(self, ids: NDArray[np.integer]) -> Floats | None:
        """Returns what the tokens give the first layer's gates; embeds them instead where there is no table."""
        step = self._step
        if step.table is None:
            self._embedded[...] = step.embedding[ids].T.reshape(self._embedded.shape)  # type: ignore[index]
            return None
        if self._given is None:
            row: Floats = step.table[ids[0]]
            return row
        # mode "clip" writes into the buffer at once; the ids are those of the vocabulary.
        return step.table_by_column.take(ids, axis=1, out=self._given, mode="clip")  # type: ignore[union-attr]
