"""One step of the LSTM in NumPy: token ids in, logits of the next tokens out.

`planning.cells` has the equations of the layers.

For a small model, most of the time of a step is the overhead of NumPy calls. So `layers`, which prepares the weights, and
this module make few calls and allocate nothing. The first layer's input projection is one row of a table. Each layer's
input and state are contiguous, [x, 1, h], so that kernel, bias and recurrent kernel are applied in one product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import copy_context
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgen.generation.layers import Cell, make_layers
from textgen.planning.model_shape import OUTPUT_BIAS, OUTPUT_KERNEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.layers import Floats
    from textgen.generation.model_file import ModelFile


_COLUMNS = 8
"""The columns that BLAS libraries compute at once."""

_FEW = 4
"""The most texts for which a multiple of `_COLUMNS` does not pay."""


def log_total(logits: Floats) -> Floats:
    """Returns the logarithm of the sum of exp(logits) over the last axis. A logit minus this is a log-probability."""
    best = logits.max(axis=-1, keepdims=True)
    total: Floats = best[..., 0] + np.log(np.exp(logits - best).sum(axis=-1))
    return total


class LSTMStep:
    """The network of a model file, with its weights prepared for reading one token at a time.

    Args:
        model: the model file.

    Example:
        >>> run = LSTMStep(model).start()
        >>> logits = run(np.array([5]))
    """

    def __init__(self, model: ModelFile) -> None:
        self.vocabulary_size = model.vocabulary.size
        self.table, self.embedding, self.layers = make_layers(model)
        self.output = np.vstack([model.tensors[OUTPUT_KERNEL], model.tensors[OUTPUT_BIAS]])

    @cached_property
    def table_by_column(self) -> Floats | None:
        """The transposed table, with one column per token, for a batch."""
        return None if self.table is None else np.ascontiguousarray(self.table.T)

    def start(self, batch: int = 1) -> LSTMRun:
        """Starts to read texts in parallel, with zero states.

        Args:
            batch: the number of texts.

        Returns:
            The run.
        """
        return LSTMRun(self, batch)

    def read(self, texts: NDArray[np.integer]) -> Iterator[Floats]:
        """Reads whole texts in parallel, from zero states.

        Args:
            texts: `(batch, length)`, the token ids.

        Yields:
            After each token of every text, the logits of the next one; see `LSTMRun.__call__`.
        """
        run = self.start(len(texts))
        for ids in texts.T:
            yield run(ids)


def _padded(batch: int) -> int:
    """Returns the number of columns with which a batch is fastest: a product with 31 takes a third longer than one with 32."""
    if batch <= _FEW:
        return batch + batch % 2 if batch > 1 else 1
    beyond = batch % _COLUMNS
    return batch - beyond + _COLUMNS if beyond > _COLUMNS // 4 else batch


class LSTMRun:
    """The states of texts that are read in parallel, and the buffers of a step.

    Internally, arrays are `(features, width)`, or `(features,)` for one text, so that each gate is one contiguous block. The
    width can be larger than the batch; what is computed for the last columns is then not used.

    Args:
        step: the network.
        batch: the number of texts.

    Attributes:
        batch: the number of texts.
        logits: `(batch, vocabulary_size)`, float32, the logits of the next tokens, which each call overwrites.
    """

    def __init__(self, step: LSTMStep, batch: int) -> None:
        # exp(-z) of a closed gate may be infinite, and the gate is 1 / (1 + inf) = 0. In a context of its own, NumPy ignores this
        # at a sixth of the cost of `np.errstate`.
        self._context = copy_context()
        self._context.run(np.seterr, over="ignore")
        self._step = step
        self._width = width = _padded(batch)
        self._columns = () if width == 1 else (width,)
        embedded = 0 if step.embedding is None else step.embedding.shape[1] + 1
        size = embedded + sum(layer.output_size + 1 for layer in step.layers)
        # Embedded token, 1, h of the first layer, 1, h of the second, 1, ...: [x, 1, h] of every layer is a slice.
        self._chain = np.zeros((size, *self._columns), np.float32)
        self._embedded = self._chain[: max(embedded - 1, 0)]
        self._cells: list[Cell] = []
        self._outputs: list[Floats] = []
        x, start = self._embedded, embedded
        if embedded:
            self._chain[embedded - 1] = 1
        for layer in step.layers:
            stop = start + layer.output_size
            self._chain[stop] = 1
            whole = self._chain[start - len(x) - 1 if len(x) else start : stop]
            self._cells.append(layer.cell(layer, x, self._chain[start:stop], whole))
            x, start = self._chain[start:stop], stop + 1
            self._outputs.append(x)
        self._last = self._chain[start - len(x) - 1 : start].T
        self._given = None if step.table is None or width == 1 else np.empty((step.table.shape[1], width), np.float32)
        self._ids = np.zeros(width, np.intp)
        self._flat_logits = np.empty((*self._columns, step.vocabulary_size), np.float32)
        self._set_batch(batch)

    def _set_batch(self, batch: int) -> None:
        self.batch = batch
        self.logits = self._flat_logits.reshape(self._width, -1)[:batch]

    def __call__(self, ids: NDArray[np.integer]) -> Floats:
        """Reads one token in each text.

        Args:
            ids: `(batch,)`, integers, the token ids.

        Returns:
            `logits`.
        """
        if self.batch != self._width:
            self._ids[: self.batch] = ids
            ids = self._ids
        self._context.run(self._advance, ids)
        np.dot(self._last, self._step.output, self._flat_logits)
        return self.logits

    def read(self, texts: NDArray[np.integer]) -> None:
        """Reads some tokens in each text, without computing logits.

        Args:
            texts: `(tokens, batch)`, integers, the token ids.
        """
        if self.batch != self._width:
            texts = np.pad(texts, ((0, 0), (0, self._width - self.batch)))
        self._context.run(self._advance_all, texts)

    def read_with_logits(self, texts: NDArray[np.integer]) -> Floats:
        """Reads some tokens in each text.

        Args:
            texts: `(tokens, batch)`, integers, the token ids.

        Returns:
            `(tokens, batch, vocabulary_size)`, the logits after each token.
        """
        output = self._step.output
        if self._width == 1:  # one product for all tokens is faster than many with a vector
            rows: Floats = self.outputs(texts)[:, 0] @ output[:-1] + output[-1]
            return rows[:, np.newaxis]
        if self.batch != self._width:
            texts = np.pad(texts, ((0, 0), (0, self._width - self.batch)))
        found = np.empty((len(texts), self._width, self._step.vocabulary_size), np.float32)
        for ids, logits in zip(texts, found, strict=True):
            self._context.run(self._advance, ids)
            np.dot(self._last, output, logits)
        return found[:, : self.batch]

    def outputs(self, texts: NDArray[np.integer], layer: int = -1) -> Floats:
        """Reads some tokens in each text, without computing logits, and returns the outputs of a layer.

        Args:
            texts: `(tokens, batch)`, integers, the token ids.
            layer: the index of the layer; -1 for the last.

        Returns:
            `(tokens, batch, output_size)`, the outputs after each token.
        """
        output = self._outputs[layer]
        found = np.empty((len(texts), *output.shape), np.float32)
        if self.batch != self._width:
            texts = np.pad(texts, ((0, 0), (0, self._width - self.batch)))
        for ids, here in zip(texts, found, strict=True):
            self._context.run(self._advance, ids)
            here[...] = output
        return found.reshape(len(texts), len(output), -1)[:, :, : self.batch].transpose(0, 2, 1)

    def _advance_all(self, texts: NDArray[np.integer]) -> None:
        for ids in texts:
            self._advance(ids)

    def _advance(self, ids: NDArray[np.integer]) -> None:
        given = self._look_up(ids)
        for cell in self._cells:
            cell(given)
            given = None

    def resize(self, batch: int) -> LSTMRun:
        """Returns a run that continues the first texts, and has room for others if it is larger.

        Args:
            batch: the number of texts. The states of those beyond the old number are undefined until they are restored.

        Returns:
            This run if its buffers have the right size, else another one; then this one is not modified.
        """
        if _padded(batch) == self._width:
            self._set_batch(batch)
            return self
        run = LSTMRun(self._step, batch)
        kept = min(batch, self.batch)
        for ours, theirs in zip(self._states, run._states, strict=True):
            theirs.reshape(len(theirs), -1)[:, :kept] = ours.reshape(len(ours), -1)[:, :kept]
        return run

    def state(self, text: int) -> Floats:
        """Returns a copy of all numbers from which a text continues, in one dimension."""
        return np.concatenate([states.reshape(len(states), -1)[:, text] for states in self._states])

    def restore(self, text: int, state: Floats) -> None:
        """Continues a text from a result of `state`; that of another run of the same network will do."""
        start = 0
        for states in self._states:
            states.reshape(len(states), -1)[:, text] = state[start : start + len(states)]
            start += len(states)

    @property
    def _states(self) -> list[Floats]:
        return [self._chain, *(state for cell in self._cells for state in cell.states)]

    def _look_up(self, ids: NDArray[np.integer]) -> Floats | None:
        """Returns the tokens' input projections from the table; without a table, embeds the tokens instead."""
        step = self._step
        if step.table is None:
            self._embedded[...] = step.embedding[ids].T.reshape(self._embedded.shape)  # type: ignore[index]
            return None
        if self._given is None:
            row: Floats = step.table[ids[0]]
            return row
        # mode="clip" avoids a temporary buffer; no id is out of range.
        return step.table_by_column.take(ids, axis=1, out=self._given, mode="clip")  # type: ignore[union-attr]
