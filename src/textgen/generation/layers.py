"""The recurrent layers in NumPy: prepares their weights once, and computes one step of each.

`planning.cells` has the equations. The weights are prepared as follows:

- The gates are in the order o, i, f, g, so that the three sigmoids are one block, and [i, f] * [g, c] is one product.
- The weights of o, i and f are negated, because sigmoid(z) = 1 / (1 + exp(-z)).
- The kernel, bias and recurrent kernel of a plain cell are one matrix, for the input [x, 1, h].
- The mean that layer normalisation subtracts from x W is subtracted from the rows of W instead, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy import add, dot, exp, multiply, reciprocal, tanh

from textgen.planning.cells import LAYER_NORM_EPSILON
from textgen.planning.model_shape import EMBEDDING, tensors_of_layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from textgen.generation.model_file import ModelFile

MOST_TABLE_NUMBERS = 1 << 24
"""The most numbers (64 MB) in a table or a copy that is made only for speed; a larger one is not made."""

Floats: TypeAlias = "NDArray[np.float32]"


class Layer(ABC):
    """A recurrent layer with prepared weights.

    Args:
        tensors: the layer's tensors by name.
        reads_table: whether the input projection comes from a table (see `make_layers`).

    Attributes:
        cell: the class that runs the layer.
        output_size: the width of the output.
    """

    cell: ClassVar[type[Cell]]
    output_size: int

    @abstractmethod
    def __init__(self, tensors: Mapping[str, Floats], *, reads_table: bool) -> None: ...

    @staticmethod
    @abstractmethod
    def project(rows: Floats, tensors: Mapping[str, Floats]) -> Floats:
        """Returns the input projection, given `x W` and the layer's tensors. Both have a row for each x."""


class Cell(ABC):
    """The states and buffers of a layer. Arrays are `(features, batch)`, or `(features,)` for one text.

    Args:
        layer: the layer.
        x: the input; empty if the layer reads a table.
        h: the output, and the recurrent input of the next step.
        whole: the array that contains [x, 1, h], or only h if the layer reads a table.

    Attributes:
        states: the states, except the output.
    """

    states: Sequence[Floats] = ()

    @abstractmethod
    def __init__(self, layer: Any, x: Floats, h: Floats, whole: Floats) -> None: ...

    @abstractmethod
    def __call__(self, given: Floats | None) -> None:
        """Computes one step: reads the input and the states, and overwrites the states.

        Args:
            given: the input projection from the table, or None to compute it from the input.
        """


class _LSTMCell(Cell):
    """The common base of the LSTM's cells."""

    def __init__(self, layer: _LSTMLayer, x: Floats, h: Floats, whole: Floats) -> None:
        n, columns = layer.state_size, h.shape[1:]
        self._x, self._h, self._whole = x, h, whole
        gates = np.zeros((5 * n, *columns), np.float32)  # o, i, f, g, c
        self._z, self._c = gates[: 4 * n], gates[4 * n :]
        self.states = (self._c,)
        # Converting a scalar to an array takes NumPy 0.5 microseconds; for a batch, reading an array would take longer.
        self._one = np.float32(1) if columns else np.ones(3 * n, np.float32)
        self._projection = None if layer.projection is None else layer.transposed("projection", columns)
        self._output = h if self._projection is None else np.empty((n, *columns), np.float32)
        o_i_f, o, i_f, i, f = gates[: 3 * n], gates[:n], gates[n : 3 * n], gates[n : 2 * n], gates[2 * n : 3 * n]
        g, g_c = gates[3 * n : 4 * n], gates[3 * n :]
        self._views = o_i_f, o, i_f, i, f, g, g_c, self._c

    def __call__(self, given: Floats | None) -> None:
        """Computes one step; see `Cell`."""
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
        """Returns the cell state as the output gate sees it."""
        return self._c


class PlainCell(_LSTMCell):
    """Runs a `PlainLayer`."""

    def __init__(self, layer: PlainLayer, x: Floats, h: Floats, whole: Floats) -> None:
        super().__init__(layer, x, h, whole)
        self._matrix = layer.transposed("stacked", h.shape[1:])

    def _sum(self, given: Floats | None) -> None:
        dot(self._matrix, self._whole, self._z)
        if given is not None:
            add(self._z, given, self._z)


class NormalisedCell(_LSTMCell):
    """Runs a `NormalisedLayer`."""

    def __init__(self, layer: NormalisedLayer, x: Floats, h: Floats, whole: Floats) -> None:
        super().__init__(layer, x, h, whole)
        # The weights are per feature, so with a batch they need another axis.
        shape = (-1, *(1 for _ in h.shape[1:]))
        self._recurrent_kernel = layer.transposed("recurrent_kernel", h.shape[1:])
        self._recurrent_scale = layer.recurrent_scale.reshape(shape)
        if len(x):
            self._kernel = layer.transposed("kernel", h.shape[1:])
            self._input_scale, self._bias = layer.input_scale.reshape(shape), layer.bias.reshape(shape)
        self._state_scale = layer.state_scale.reshape(shape)
        self._state_offset = layer.state_offset.reshape(shape)

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
        exposed: Floats = self._c - self._c.mean(axis=0)
        _normalise(exposed, self._state_scale)
        add(exposed, self._state_offset, exposed)
        return exposed


class _LSTMLayer(Layer):
    """The common base of the LSTM's layers."""

    def __init__(self, tensors: Mapping[str, Floats], *, reads_table: bool) -> None:  # noqa: ARG002 - the subclasses use it
        self.output_size, gates = tensors["recurrent_kernel"].shape
        self.state_size = gates // 4
        self.projection = tensors.get("projection")
        self._transposed: dict[str, Floats] = {}

    def transposed(self, name: str, columns: tuple[int, ...]) -> Floats:
        """Returns a matrix transposed, for products with texts in columns: for a batch a copy, unless it is very large.

        The product gives the same bits as with a view, but takes a third less time for two texts, and a tenth less for 32.

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


class PlainLayer(_LSTMLayer):
    """A layer without normalisation.

    Attributes:
        stacked: the matrix for [x, 1, h], or for h if the layer reads a table.
    """

    cell = PlainCell

    def __init__(self, tensors: Mapping[str, Floats], *, reads_table: bool) -> None:
        super().__init__(tensors, reads_table=reads_table)
        parts = [] if reads_table else [tensors["kernel"], tensors["bias"][np.newaxis]]
        self.stacked = _arrange(np.concatenate([*parts, tensors["recurrent_kernel"]]))

    @staticmethod
    def project(rows: Floats, tensors: Mapping[str, Floats]) -> Floats:
        """Adds the bias."""
        return _arrange(rows + tensors["bias"])


class NormalisedLayer(_LSTMLayer):
    """A layer-normalised layer.

    Attributes:
        recurrent_kernel, recurrent_scale, state_scale, state_offset: prepared, as are the following.
        kernel, input_scale, bias: only if the layer does not read a table.
    """

    cell = NormalisedCell

    def __init__(self, tensors: Mapping[str, Floats], *, reads_table: bool) -> None:
        super().__init__(tensors, reads_table=reads_table)
        self.recurrent_kernel = _centre(_order(tensors["recurrent_kernel"]))
        self.recurrent_scale = _arrange(tensors["recurrent_scale"])
        self.state_scale, self.state_offset = tensors["state_scale"], tensors["state_offset"]
        if not reads_table:
            self.kernel, self.bias = _centre(_order(tensors["kernel"])), _arrange(tensors["bias"])
            self.input_scale = _arrange(tensors["input_scale"])

    @staticmethod
    def project(rows: Floats, tensors: Mapping[str, Floats]) -> Floats:
        """Normalises the rows, scales them and adds the bias."""
        rows = _centre(rows)
        variance = np.square(rows).mean(axis=1, keepdims=True)
        return _arrange(rows * (tensors["input_scale"] / np.sqrt(variance + LAYER_NORM_EPSILON)) + tensors["bias"])


LAYERS: dict[str, type[Layer]] = {
    "lstm": PlainLayer,
    "lstm-norm": NormalisedLayer,
    "lstm-proj": PlainLayer,
    "lstm-norm-proj": NormalisedLayer,
}
"""The layers by `ModelShape.kind`."""


def make_layers(model: ModelFile) -> tuple[Floats | None, Floats | None, list[Layer]]:
    """Prepares the weights of the recurrent layers. The embedding is folded into the first kernel, if the product is not too large.

    Args:
        model: the model file.

    Returns:
        The table of each token's input projection, bias included, `(vocabulary_size, width)`, from which the first layer then reads;
        else None. The embedding if there is no table, else None. The layers.
    """
    layer = LAYERS[model.shape.kind]
    first = tensors_of_layer(model.tensors, 0)
    embedding, kernel = model.tensors.get(EMBEDDING), first["kernel"]
    table: Floats | None = None
    if embedding is None:
        table = layer.project(kernel, first)
    elif len(embedding) * kernel.shape[1] <= MOST_TABLE_NUMBERS:
        table, embedding = layer.project(embedding @ kernel, first), None
    layers = [
        layer(tensors_of_layer(model.tensors, index), reads_table=index == 0 and table is not None)
        for index in range(model.shape.layers)
    ]
    return table, embedding, layers


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
