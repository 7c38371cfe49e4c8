"""Builds the functional Keras model of one step from a model file.

It consists only of stock Keras layers and `keras.ops`, so that its saved file loads wherever Keras does, without any
code of textgen. The equations are those of `generation.step`. The names and shapes of its inputs and outputs are defined in
`generation.signature`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from textgen.generation import ModelFile
from textgen.generation.layers import LAYER_NORM_EPSILON
from textgen.generation.signature import LOGITS, TOKEN, next_name, state_names, state_widths

Floats: TypeAlias = NDArray[np.float32]


def build_one_step(model: ModelFile) -> keras.Model:
    """Builds the Keras model of one step, with the weights of a model file.

    Args:
        model: the model file.

    Returns:
        A functional model from a dict of inputs to a dict of outputs, for any batch size.
    """
    token = keras.Input((), dtype="int32", name=TOKEN)
    states = {
        name: keras.Input((width,), dtype="float32", name=name) for name, width in state_widths(model.shape).items()
    }
    outputs: dict[str, Any] = {}
    hidden: Any = token
    if "embedding" in model.tensors:
        hidden = _look_up(hidden, model.tensors["embedding"], "embedding")
    for index in range(model.shape["layers"]):
        h, c = state_names(index)
        hidden, outputs[next_name(c)] = _add_layer(model.tensors, f"layers.{index}.", hidden, states[h], states[c])
        outputs[next_name(h)] = hidden
    logits = _multiply(hidden, model.tensors["output.kernel"], "output", model.tensors["output.bias"])
    return keras.Model({TOKEN: token, **states}, {LOGITS: logits, **outputs}, name="textgen_one_step")


def _add_layer(tensors: Mapping[str, Floats], prefix: str, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """Adds one layer to the network.

    Args:
        tensors: the tensors of the model file.
        prefix: the prefix of this layer's tensors.
        x: token ids `(B,)` int32, or vectors `(B, width)`.
        h: the layer's last output.
        c: its cell state.

    Returns:
        The next h and c.
    """
    weights = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    name = prefix.replace(".", "_")
    # A one-hot vector times a matrix is one row of the matrix.
    from_input = (_look_up if x.dtype == "int32" else _multiply)(x, weights["kernel"], f"{name}kernel")
    if "input_scale" in weights:
        from_input = _normalise(from_input, weights["input_scale"], f"{name}input_scale", weights["bias"])
        from_state = _multiply(h, weights["recurrent_kernel"], f"{name}recurrent_kernel")
        from_state = _normalise(from_state, weights["recurrent_scale"], f"{name}recurrent_scale")
    else:
        from_state = _multiply(h, weights["recurrent_kernel"], f"{name}recurrent_kernel", weights["bias"])
    i, f, g, o = ops.split(from_input + from_state, 4, axis=-1)

    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    remembered = c
    if "state_scale" in weights:
        remembered = _normalise(c, weights["state_scale"], f"{name}state_scale", weights["state_offset"])
    h = ops.sigmoid(o) * ops.tanh(remembered)
    if "projection" in weights:
        h = _multiply(h, weights["projection"], f"{name}projection")
    return h, c


def _look_up(ids: Any, table: Floats, name: str) -> Any:
    return _apply(keras.layers.Embedding(*table.shape, dtype="float32", name=name), ids, table)


def _multiply(vectors: Any, kernel: Floats, name: str, *bias: Floats) -> Any:
    layer = keras.layers.Dense(kernel.shape[-1], use_bias=bool(bias), dtype="float32", name=name)
    return _apply(layer, vectors, kernel, *bias)


def _normalise(values: Any, scale: Floats, name: str, *offset: Floats) -> Any:
    layer = keras.layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON, center=bool(offset), dtype="float32", name=name)
    return _apply(layer, values, scale, *offset)


def _apply(layer: Any, inputs: Any, *weights: Floats) -> Any:
    """Returns the output of a new layer with these weights."""
    output = layer(inputs)
    layer.set_weights(weights)
    return output
