"""The LSTM layers in NumPy: prepares their weights once, and computes one step of each.

`step` has the equations. The weights are prepared as follows:

- The gates are in the order o, i, f, g, so that the three sigmoids are one block, and [i, f] * [g, c] is one product.
- The weights of o, i and f are negated, because sigmoid(z) = 1 / (1 + exp(-z)).
- The kernel, bias and recurrent kernel of a plain cell are one matrix, for the input [x, 1, h].
- The mean that layer normalisation subtracts from x W is subtracted from the rows of W instead, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy import add, dot, exp, multiply, reciprocal, tanh

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYER_NORM_EPSILON = 1e-5
"""Added to the variance in layer normalisation, so that equal numbers do not cause a division by zero."""

MOST_TABLE_NUMBERS = 1 << 24
"""The most numbers (64 MB) in a table or a copy that is made only for speed; a larger one is not made."""

Floats: TypeAlias = "NDArray[np.float32]"


class LayerWeights:
    """The prepared weights of one layer.

    Args:
        tensors: the tensors of the model file.
        index: the index of the layer.
        reads_table: whether the input projection comes from a table (see `fold_input`), which includes kernel and bias.

    Attributes:
        state_size: n, `lstm_state_size`.
        output_size: the size of h, `num_proj` or n.
        norm: whether the layer is layer-normalised.
        projection: P, or None without a projection.
        stacked: for a plain layer only, the matrix for [x, 1, h], or for h if the layer reads a table.
        recurrent_kernel, recurrent_scale, state_scale, state_offset: for a layer-normalised layer only.
        kernel, input_scale, bias: for a layer-normalised layer that does not read a table.
    """

    def __init__(self, tensors: Mapping[str, Floats], index: int, *, reads_table: bool) -> None:
        layer = f"layers.{index}."
        kernel, bias = tensors[f"{layer}kernel"], tensors[f"{layer}bias"]
        recurrent_kernel = tensors[f"{layer}recurrent_kernel"]
        self.state_size = recurrent_kernel.shape[1] // 4
        self.output_size = recurrent_kernel.shape[0]
        self.projection = tensors.get(f"{layer}projection")
        self.norm = f"{layer}state_scale" in tensors
        self._transposed: dict[str, Floats] = {}
        if not self.norm:
            parts = [recurrent_kernel] if reads_table else [kernel, bias[np.newaxis], recurrent_kernel]
            self.stacked = _arrange(np.concatenate(parts))
            return
        self.recurrent_kernel = _centre(_order(recurrent_kernel))
        self.recurrent_scale = _arrange(tensors[f"{layer}recurrent_scale"])
        self.state_scale, self.state_offset = tensors[f"{layer}state_scale"], tensors[f"{layer}state_offset"]
        if not reads_table:
            self.kernel, self.bias = _centre(_order(kernel)), _arrange(bias)
            self.input_scale = _arrange(tensors[f"{layer}input_scale"])

    def transposed(self, name: str, columns: tuple[int, ...]) -> Floats:
        """Returns a matrix transposed, for products with texts in columns.

        For a batch, it is a copy, unless it is very large. The product gives the same bits as with a view, but takes a third less
        time for a batch of 2, and a tenth less for one of 32.

        Args:
            name: the name of an attribute.
            columns: the number of texts; empty for a single one.
        """
        matrix: Floats = getattr(self, name)
        if not columns or matrix.size > MOST_TABLE_NUMBERS:
            return matrix.T
        if name not in self._transposed:
            self._transposed[name] = np.ascontiguousarray(matrix.T)
        return self._transposed[name]


def fold_input(tensors: Mapping[str, Floats]) -> tuple[Floats | None, Floats | None]:
    """Folds the embedding into the first layer's kernel, so that a token's input projection is a row of a table.

    Args:
        tensors: the tensors of the model file.

    Returns:
        The table of each token's input projection, bias included, `(vocabulary_size, 4n)`, and None. If the table would
        be too large, None and the embedding.
    """
    embedding, kernel = tensors.get("embedding"), tensors["layers.0.kernel"]
    if embedding is not None:
        if len(embedding) * kernel.shape[1] > MOST_TABLE_NUMBERS:
            return None, embedding
        kernel = embedding @ kernel
    bias, scale = tensors["layers.0.bias"], tensors.get("layers.0.input_scale")
    if scale is not None:
        kernel = _centre(kernel)
        kernel = kernel * (scale / np.sqrt(np.square(kernel).mean(axis=1, keepdims=True) + LAYER_NORM_EPSILON))
    return _arrange(kernel + bias), None


class Cell(ABC):
    """The state and buffers of a layer. Arrays are `(features, batch)`, or `(features,)` for one text.

    Args:
        weights: the layer's weights.
        x: the input; empty if the layer reads a table.
        h: the output, and the recurrent input of the next step.
        whole: the array that contains [x, 1, h], or only h if the layer reads a table.

    Attributes:
        c: the cell state.
    """

    def __init__(self, weights: LayerWeights, x: Floats, h: Floats, whole: Floats) -> None:
        n, columns = weights.state_size, h.shape[1:]
        self._x, self._h, self._whole = x, h, whole
        gates = np.zeros((5 * n, *columns), np.float32)  # o, i, f, g, c
        self._z, self.c = gates[: 4 * n], gates[4 * n :]
        # Converting a scalar to an array takes NumPy 0.5 microseconds; for a batch, reading an array would take longer.
        self._one = np.float32(1) if columns else np.ones(3 * n, np.float32)
        self._projection = None if weights.projection is None else weights.transposed("projection", columns)
        self._output = h if weights.projection is None else np.empty((n, *columns), np.float32)
        o_i_f, o, i_f, i, f = gates[: 3 * n], gates[:n], gates[n : 3 * n], gates[n : 2 * n], gates[2 * n : 3 * n]
        g, g_c = gates[3 * n : 4 * n], gates[3 * n :]
        self._views = o_i_f, o, i_f, i, f, g, g_c, self.c

    def __call__(self, given: Floats | None) -> None:
        """Computes one step: reads x, h and c, and overwrites h and c.

        Args:
            given: the input projection from the table, or None to compute it from x.
        """
        self._sum(given)
        o_i_f, o, i_f, i, f, g, g_c, c = self._views
        exp(o_i_f, o_i_f)
        add(o_i_f, self._one, o_i_f)
        reciprocal(o_i_f, o_i_f)
        tanh(g, g)
        multiply(i_f, g_c, i_f)  # i * g and f * c, in the places of i and f
        add(i, f, c)
        tanh(self._exposed(), g)
        multiply(o, g, self._output)
        if self._projection is not None:
            dot(self._projection, self._output, self._h)

    @abstractmethod
    def _sum(self, given: Floats | None) -> None:
        """Writes the gate pre-activations to z."""

    def _exposed(self) -> Floats:
        """The cell state as the output gate sees it."""
        return self.c


class PlainCell(Cell):
    """A layer without normalisation; see `Cell`."""

    def __init__(self, weights: LayerWeights, x: Floats, h: Floats, whole: Floats) -> None:
        super().__init__(weights, x, h, whole)
        self._matrix = weights.transposed("stacked", h.shape[1:])

    def _sum(self, given: Floats | None) -> None:
        dot(self._matrix, self._whole, self._z)
        if given is not None:
            add(self._z, given, self._z)


class NormalisedCell(Cell):
    """A layer-normalised layer; see `Cell`."""

    def __init__(self, weights: LayerWeights, x: Floats, h: Floats, whole: Floats) -> None:
        super().__init__(weights, x, h, whole)
        # The weights are per feature, so with a batch they need another axis.
        shape = (-1, *(1 for _ in h.shape[1:]))
        self._recurrent_kernel = weights.transposed("recurrent_kernel", h.shape[1:])
        self._recurrent_scale = weights.recurrent_scale.reshape(shape)
        if len(x):
            self._kernel = weights.transposed("kernel", h.shape[1:])
            self._input_scale, self._bias = weights.input_scale.reshape(shape), weights.bias.reshape(shape)
        self._state_scale = weights.state_scale.reshape(shape)
        self._state_offset = weights.state_offset.reshape(shape)

    def _sum(self, given: Floats | None) -> None:
        z = self._z
        dot(self._recurrent_kernel, self._h, z)
        _normalise(z, self._recurrent_scale)
        if given is None:
            projected: Floats = dot(self._kernel, self._x)
            _normalise(projected, self._input_scale)
            given = add(projected, self._bias, projected)
        add(z, given, z)

    def _exposed(self) -> Floats:
        exposed: Floats = self.c - self.c.mean(axis=0)
        _normalise(exposed, self._state_scale)
        add(exposed, self._state_offset, exposed)
        return exposed


def _normalise(a: Floats, scale: Floats) -> None:
    """Divides an array with mean 0 over the first axis by its standard deviation, and scales it, in place."""
    variance = np.square(a).mean(axis=0)
    multiply(a, scale / np.sqrt(variance + np.float32(LAYER_NORM_EPSILON)), a)


def _order(a: Floats) -> Floats:
    """Reorders the gates along the last axis from Keras' i, f, g, o to o, i, f, g."""
    return np.roll(a, a.shape[-1] // 4, axis=-1)


def _arrange(a: Floats) -> Floats:
    """Reorders the gates and negates the weights of the sigmoids."""
    a = _order(a)
    a[..., : a.shape[-1] // 4 * 3] *= -1
    return a


def _centre(a: Floats) -> Floats:
    """Subtracts the mean over the last axis."""
    centred: Floats = a - a.mean(axis=-1, keepdims=True)
    return centred
