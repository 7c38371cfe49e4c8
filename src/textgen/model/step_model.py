"""Builds the functional Keras model of one step from a model file.

It consists only of stock Keras layers and `keras.ops`, so that its saved file loads wherever Keras does, without any
code of textgen. `planning.one_step` has the equations, and the names and shapes of its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from textgen.generation import ModelFile
from textgen.planning.cells import LAYER_NORM_EPSILON
from textgen.planning.one_step import TOKEN, one_step

Floats: TypeAlias = NDArray[np.float32]


def build_one_step(model: ModelFile) -> keras.Model:
    """Builds the Keras model of one step, with the weights of a model file.

    Args:
        model: the model file.

    Returns:
        A functional model from a dict of inputs to a dict of outputs, for any batch size.
    """
    token = keras.Input((), dtype="int32", name=TOKEN)
    states = {name: keras.Input((width,), dtype="float32", name=name) for name, width in model.shape.states.items()}
    outputs = one_step(model.shape, lambda prefix: _Operations(model.tensors, prefix), token, states)
    return keras.Model({TOKEN: token, **states}, outputs, name="textgen_one_step")


class _Operations:
    """Keras' implementation of `planning.cells.Operations`.

    Args:
        tensors: the tensors of the model file.
        prefix: the beginning of the names of the layer's tensors.
    """

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        self._tensors, self._prefix = tensors, prefix

    def product(self, x: Any, kernel: str, bias: str | None = None) -> Any:
        """Adds a dense layer or, for token ids, an embedding; see `Operations`."""
        weights = self._weights(kernel, bias)
        width, units = weights[0].shape
        if x.dtype == "int32":
            table = sum(weights[1:], weights[0])
            return _apply(keras.layers.Embedding(width, units, **self._options(kernel)), x, table)
        dense = keras.layers.Dense(units, use_bias=bias is not None, **self._options(kernel))
        return _apply(dense, x, *weights)

    def normalise(self, x: Any, scale: str, offset: str | None = None) -> Any:
        """Adds a layer of normalisation; see `Operations`."""
        options = self._options(scale)
        layer = keras.layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON, center=offset is not None, **options)
        return _apply(layer, x, *self._weights(scale, offset))

    def split(self, x: Any, parts: int) -> Sequence[Any]:
        """Splits vectors; see `Operations`."""
        found: Sequence[Any] = ops.split(x, parts, axis=-1)
        return found

    add = staticmethod(ops.add)
    subtract = staticmethod(ops.subtract)
    multiply = staticmethod(ops.multiply)
    sigmoid = staticmethod(ops.sigmoid)
    tanh = staticmethod(ops.tanh)

    def _weights(self, *names: str | None) -> list[Floats]:
        return [self._tensors[self._prefix + name] for name in names if name is not None]

    def _options(self, tensor: str) -> dict[str, str]:
        """Returns the options of a layer that has a tensor."""
        return {"dtype": "float32", "name": (self._prefix + tensor).replace(".", "_")}


def _apply(layer: Any, inputs: Any, *weights: Floats) -> Any:
    """Returns the output of a new layer with these weights."""
    output = layer(inputs)
    layer.set_weights(weights)
    return output
