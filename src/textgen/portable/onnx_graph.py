"""Builds the ONNX graph of one step from a model file, without Keras or TensorFlow.

`planning.one_step` has the equations, and the names and shapes of the inputs and outputs. The operators are documented at
https://onnx.ai/onnx/operators, operator set 17.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from textgen.generation import ModelFile
from textgen.planning.cells import LAYER_NORM_EPSILON
from textgen.planning.one_step import LOGITS, TOKEN, next_name, one_step
from textgen.version import __version__

OPERATOR_SET = 17
"""The oldest operator set with layer normalisation, from 2022: more runtimes read it than newer ones."""

IR_VERSION = 8
"""The file format version that was released with that operator set."""

_BATCH = "batch"


def make_onnx_model(model: ModelFile) -> ModelProto:
    """Builds the ONNX model of one step, with the weights of a model file and any batch size.

    Args:
        model: the model file.
    """
    nodes: list[NodeProto] = []
    widths = model.shape.states
    outputs = one_step(model.shape, lambda prefix: _Operations(nodes, prefix), TOKEN, {name: name for name in widths})
    nodes.extend(helper.make_node("Identity", [value], [name]) for name, value in outputs.items())
    return helper.make_model(
        helper.make_graph(
            nodes,
            "textgen_one_step",
            [
                helper.make_tensor_value_info(TOKEN, TensorProto.INT32, [_BATCH]),
                *(_floats(name, width) for name, width in widths.items()),
            ],
            [
                _floats(LOGITS, model.vocabulary.size),
                *(_floats(next_name(name), width) for name, width in widths.items()),
            ],
            [numpy_helper.from_array(tensor, name) for name, tensor in model.tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPERATOR_SET)],
        ir_version=IR_VERSION,
        producer_name="textgen",
        producer_version=__version__,
    )


def _floats(name: str, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [_BATCH, width])


class _Operations:
    """ONNX's implementation of `planning.cells.Operations`, whose values are names.

    Args:
        nodes: the nodes of the graph so far, to which each operation adds its own. Each node computes one or more named values.
        prefix: the beginning of the names of the layer's tensors.
    """

    def __init__(self, nodes: list[NodeProto], prefix: str) -> None:
        self._nodes, self._prefix = nodes, prefix

    def product(self, x: str, kernel: str, bias: str | None = None) -> str:
        """Adds a product or, for token ids, a look-up; see `Operations`."""
        weights = self._prefix + kernel
        value = self._add("Gather", weights, x) if x == TOKEN else self._add("MatMul", x, weights)
        return value if bias is None else self.add(value, self._prefix + bias)

    def normalise(self, x: str, scale: str, offset: str | None = None) -> str:
        """Adds layer normalisation; see `Operations`."""
        weights = [self._prefix + name for name in (scale, offset) if name is not None]
        return self._add("LayerNormalization", x, *weights, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def split(self, x: str, parts: int) -> Sequence[str]:
        """Splits vectors; see `Operations`."""
        names = [f"{x}.{part}" for part in range(parts)]
        self._nodes.append(helper.make_node("Split", [x], names, axis=-1))
        return names

    def add(self, a: str, b: str) -> str:
        """Adds two values; see `Operations`."""
        return self._add("Add", a, b)

    def subtract(self, a: str, b: str) -> str:
        """Subtracts a value from another; see `Operations`."""
        return self._add("Sub", a, b)

    def multiply(self, a: str, b: str) -> str:
        """Multiplies two values; see `Operations`."""
        return self._add("Mul", a, b)

    def sigmoid(self, x: str) -> str:
        """Computes the logistic function; see `Operations`."""
        return self._add("Sigmoid", x)

    def tanh(self, x: str) -> str:
        """Computes the hyperbolic tangent; see `Operations`."""
        return self._add("Tanh", x)

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its value."""
        name = f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name
