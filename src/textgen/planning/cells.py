"""Describes the cells of recurrent layers: their tensors, their states and their equations.

The equations are those from which models are exported to other runtimes. Training and sampling compute the same, faster, in
`model` and `generation.layers`.

The LSTM is that of Hochreiter and Schmidhuber (1997) with the forget gate of Gers, Schmidhuber and Cummins (2000). A layer that
reads x and has the states h and c computes::

    i, f, g, o = split(x W + h U + b)
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(c')

With `num_proj` (Sak, Senior and Beaufays 2014, "Long short-term memory recurrent neural network architectures for
large scale acoustic modeling", section 2), h' is multiplied by a matrix P, which makes the layer's output narrower.

With `layer_norm` (Ba, Kiros and Hinton 2016, "Layer normalization", equations 20 to 22), the sums are normalised by
LN(a; s) = s * (a - mean(a)) / sqrt(variance(a) + epsilon)::

    i, f, g, o = split(LN(x W; input_scale) + LN(h U; recurrent_scale) + b)
    h' = sigmoid(o) * tanh(LN(c'; state_scale) + state_offset)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textgen.planning.model_shape import ModelShape

LAYER_NORM_EPSILON = 1e-5
"""Added to the variance in layer normalisation, so that equal numbers do not cause a division by zero."""


class Operations(Protocol):
    """The operations that equations consist of, for one layer in some runtime. Tensors are given by their names in the layer."""

    def product(self, x: Any, kernel: str, bias: str | None = None) -> Any:
        """Returns `x kernel + bias`. If x contains token ids, these stand for one-hot vectors."""

    def normalise(self, x: Any, scale: str, offset: str | None = None) -> Any:
        """Returns `LN(x; scale) + offset`."""

    def split(self, x: Any, parts: int) -> Sequence[Any]:
        """Splits vectors into parts of the same width."""

    def add(self, a: Any, b: Any) -> Any:
        """Returns `a + b`."""

    def subtract(self, a: Any, b: Any) -> Any:
        """Returns `a - b`."""

    def multiply(self, a: Any, b: Any) -> Any:
        """Returns the elementwise product of a and b."""

    def sigmoid(self, x: Any) -> Any:
        """Returns the logistic function of x."""

    def tanh(self, x: Any) -> Any:
        """Returns the hyperbolic tangent of x."""


class Cell(ABC):
    """The description of a cell.

    Attributes:
        name: the name of its layers in the plan.
        activations: the numbers per state and token that training keeps for the backward pass.
        relative_time: the time of training, relative to the LSTM.
    """

    name: ClassVar[str]
    activations: ClassVar[int] = 16
    relative_time: ClassVar[float] = 1.0

    @abstractmethod
    def states(self, shape: ModelShape) -> Mapping[str, int]:
        """Returns the width of each state by name. The first one is the layer's output."""

    @abstractmethod
    def tensors(self, shape: ModelShape, input_size: int) -> Mapping[str, tuple[int, ...]]:
        """Returns the shape of each tensor by name. A tensor `kernel` is multiplied by the input, and nothing else is.

        Args:
            shape: the shape of the model.
            input_size: the width of the layer's input.
        """

    @abstractmethod
    def step(self, run: Operations, x: Any, *states: Any) -> tuple[Any, ...]:
        """Computes a step.

        Args:
            run: the operations.
            x: the layer's input: vectors, or token ids.
            states: the states, in order.

        Returns:
            The next states.
        """

    def details(self, shape: ModelShape) -> tuple[str, ...]:  # noqa: ARG002 - a projection needs it
        """Returns what else the plan mentions."""
        return ()


class LSTM(Cell):
    """The plain LSTM, with gates in Keras' order: i, f, g, o."""

    name = "LSTM"

    def states(self, shape: ModelShape) -> Mapping[str, int]:
        """Returns the widths of h and c."""
        return {"h": shape.lstm_state_size, "c": shape.lstm_state_size}

    def tensors(self, shape: ModelShape, input_size: int) -> Mapping[str, tuple[int, ...]]:
        """Returns the shapes of W, U and b."""
        gates = 4 * shape.lstm_state_size
        return {
            "kernel": (input_size, gates),
            "recurrent_kernel": (self.states(shape)["h"], gates),
            "bias": (gates,),
        }

    def step(self, run: Operations, x: Any, *states: Any) -> tuple[Any, ...]:
        """Computes h' and c'."""
        h, c = states
        i, f, g, o = run.split(self._gates(run, x, h), 4)
        c = run.add(run.multiply(run.sigmoid(f), c), run.multiply(run.sigmoid(i), run.tanh(g)))
        return run.multiply(run.sigmoid(o), run.tanh(self._exposed(run, c))), c

    def _gates(self, run: Operations, x: Any, h: Any) -> Any:
        """Returns the gate pre-activations."""
        return run.add(run.product(x, "kernel"), run.product(h, "recurrent_kernel", "bias"))

    def _exposed(self, run: Operations, c: Any) -> Any:  # noqa: ARG002 - layer normalisation needs it
        """Returns the cell state as the output gate sees it."""
        return c


class NormalisedLSTM(LSTM):
    """The layer-normalised LSTM."""

    activations = 32
    relative_time = 1.2

    def tensors(self, shape: ModelShape, input_size: int) -> Mapping[str, tuple[int, ...]]:
        """Returns the shapes of the LSTM's tensors, of the scales of `x W` and `h U`, and of the scale and the offset of c'."""
        size = shape.lstm_state_size
        scales = {"input_scale": (4 * size,), "recurrent_scale": (4 * size,)}
        return {**super().tensors(shape, input_size), **scales, "state_scale": (size,), "state_offset": (size,)}

    def details(self, shape: ModelShape) -> tuple[str, ...]:
        """Mentions the normalisation."""
        return *super().details(shape), "layer norm"

    def _gates(self, run: Operations, x: Any, h: Any) -> Any:
        from_input = run.normalise(run.product(x, "kernel"), "input_scale", "bias")
        return run.add(from_input, run.normalise(run.product(h, "recurrent_kernel"), "recurrent_scale"))

    def _exposed(self, run: Operations, c: Any) -> Any:
        return run.normalise(c, "state_scale", "state_offset")


class ProjectedLSTM(LSTM):
    """The LSTM with a projected output."""

    def states(self, shape: ModelShape) -> Mapping[str, int]:
        """Returns the widths of the projected h, and of c."""
        assert shape.num_proj is not None  # noqa: S101 - for mypy
        return {**super().states(shape), "h": shape.num_proj}

    def tensors(self, shape: ModelShape, input_size: int) -> Mapping[str, tuple[int, ...]]:
        """Returns the shapes of the other tensors, and of P."""
        return {**super().tensors(shape, input_size), "projection": (shape.lstm_state_size, self.states(shape)["h"])}

    def step(self, run: Operations, x: Any, *states: Any) -> tuple[Any, ...]:
        """Computes h' and c'."""
        h, c = super().step(run, x, *states)
        return run.product(h, "projection"), c

    def details(self, shape: ModelShape) -> tuple[str, ...]:
        """Mentions the projection."""
        return f"projection to {shape.num_proj}", *super().details(shape)


class NormalisedProjectedLSTM(ProjectedLSTM, NormalisedLSTM):
    """The LSTM with both, which model files may contain though it is never trained."""


CELLS: dict[str, Cell] = {
    "lstm": LSTM(),
    "lstm-norm": NormalisedLSTM(),
    "lstm-proj": ProjectedLSTM(),
    "lstm-norm-proj": NormalisedProjectedLSTM(),
}
"""The cells by `ModelShape.kind`."""
