"""Builds the ONNX graph of one step from a model file, without Keras or TensorFlow.

The equations are those of `generation.step`; `generation.signature` has the inputs and outputs. The operators are
documented at https://onnx.ai/onnx/operators, operator set 17.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from textgen.generation import ModelFile
from textgen.generation.layers import LAYER_NORM_EPSILON
from textgen.generation.signature import LOGITS, TOKEN, next_name, state_names, state_widths
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
    graph = _Graph(model)
    widths = state_widths(model.shape)
    states = [_floats(name, width) for name, width in widths.items()]
    outputs = [_floats(next_name(name), width) for name, width in widths.items()]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "textgen_one_step",
            [helper.make_tensor_value_info(TOKEN, TensorProto.INT32, [_BATCH]), *states],
            [_floats(LOGITS, model.vocabulary.size), *outputs],
            [numpy_helper.from_array(weight, name) for name, weight in graph.weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPERATOR_SET)],
        ir_version=IR_VERSION,
        producer_name="textgen",
        producer_version=__version__,
    )


def _floats(name: str, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [_BATCH, width])


class _Graph:
    """The nodes and weights of a model, in order of computation.

    Attributes:
        nodes: each node computes one or more named values.
        weights: the weights by name, as in the model file.
    """

    def __init__(self, model: ModelFile) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, NDArray[np.float32]] = dict(model.tensors)
        hidden = TOKEN
        if "embedding" in self.weights:
            hidden = self._add("Gather", "embedding", TOKEN)
        for index in range(model.shape["layers"]):
            hidden = self._add_layer(index, hidden)
        product = self._add("MatMul", hidden, "output.kernel")
        self._add("Add", product, "output.bias", output=LOGITS)

    def _add_layer(self, index: int, x: str) -> str:
        """Adds a layer whose input is the value x, token ids or vectors; returns the name of its output."""
        layer = f"layers.{index}"
        h, c = state_names(index)
        # A one-hot vector times a matrix is one row of the matrix.
        kernel = f"{layer}.kernel"
        from_input = self._add("Gather", kernel, x) if x == TOKEN else self._add("MatMul", x, kernel)
        from_input = self._add_norm(from_input, f"{layer}.input_scale")
        from_state = self._add_norm(self._add("MatMul", h, f"{layer}.recurrent_kernel"), f"{layer}.recurrent_scale")
        z = self._add("Add", self._add("Add", from_input, from_state), f"{layer}.bias")
        i, f, g, o = self._add_split(z, 4)

        kept = self._add("Mul", self._add("Sigmoid", f), c)
        new = self._add("Mul", self._add("Sigmoid", i), self._add("Tanh", g))
        c_next = self._add("Add", kept, new, output=next_name(c))
        remembered = self._add_norm(c_next, f"{layer}.state_scale", f"{layer}.state_offset")
        factors = self._add("Sigmoid", o), self._add("Tanh", remembered)
        projection = f"{layer}.projection"
        if projection in self.weights:
            return self._add("MatMul", self._add("Mul", *factors), projection, output=next_name(h))
        return self._add("Mul", *factors, output=next_name(h))

    def _add_norm(self, values: str, scale: str, *offset: str) -> str:
        """Adds layer normalisation if the model has such a scale; returns the name of the result."""
        if scale not in self.weights:
            return values
        return self._add("LayerNormalization", values, scale, *offset, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def _add_split(self, values: str, parts: int) -> list[str]:
        names = [f"{values}.{part}" for part in range(parts)]
        self.nodes.append(helper.make_node("Split", [values], names, axis=-1))
        return names

    def _add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds a node and returns the name of its value."""
        name = output or f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name
