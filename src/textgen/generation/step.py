"""One step of the LSTM, in NumPy: token ids and a state in, logits and the next state out; knows nothing of text.

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
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from textgen.generation.model_file import ModelFile

LAYER_NORM_EPSILON = 1e-5
"""What layer normalisation adds to a variance, so that equal numbers do not divide by zero."""

Floats: TypeAlias = "NDArray[np.float32]"
State: TypeAlias = "list[tuple[Floats, Floats]]"
"""For each layer the pair (h, c): what it said last, (batch, num_proj or lstm_state_size), and what it remembers,
(batch, lstm_state_size)."""


class LSTMStep:
    """The network of a model file, one token at a time.

    A step has no memory of its own: the caller holds the state and may keep an old one, to continue from there again.

    Args:
        model: the model file.

    Example:
        >>> step = LSTMStep(model)
        >>> logits, state = step(np.array([5]), step.initial_state())
    """

    def __init__(self, model: ModelFile) -> None:
        tensors = model.tensors
        self._embedding = tensors.get("embedding")
        self._layers = [_Layer(tensors, index) for index in range(model.shape["layers"])]
        self._output_kernel = tensors["output.kernel"]
        self._output_bias = tensors["output.bias"]

    def initial_state(self, batch: int = 1) -> State:
        """The state before the first token.

        Args:
            batch: how many texts are written side by side.

        Returns:
            Zeros, float32.
        """
        return [layer.initial_state(batch) for layer in self._layers]

    def __call__(self, ids: NDArray[np.integer], state: State) -> tuple[Floats, State]:
        """Reads one token in each row of the batch.

        Args:
            ids: the token ids, integers, (batch,).
            state: the state before these tokens; it is not modified.

        Returns:
            The logits of the next token, float32, (batch, vocabulary size); and the state after these tokens.
        """
        x: NDArray[Any] = ids if self._embedding is None else self._embedding[ids]
        after: State = []
        for layer, (h, c) in zip(self._layers, state, strict=True):
            after.append(layer(x, h, c))
            x = after[-1][0]
        return x @ self._output_kernel + self._output_bias, after


class _Layer:
    """One layer: its weights, named as in the model file, and its equations."""

    def __init__(self, tensors: Mapping[str, Floats], index: int) -> None:
        layer = f"layers.{index}"
        self.kernel = tensors[f"{layer}.kernel"]
        self.recurrent_kernel = tensors[f"{layer}.recurrent_kernel"]
        self.bias = tensors[f"{layer}.bias"]
        self.projection = tensors.get(f"{layer}.projection")
        self.input_scale = tensors.get(f"{layer}.input_scale")
        self.recurrent_scale = tensors.get(f"{layer}.recurrent_scale")
        self.state_scale = tensors.get(f"{layer}.state_scale")
        self.state_offset = tensors.get(f"{layer}.state_offset")

    def initial_state(self, batch: int) -> tuple[Floats, Floats]:
        """The pair (h, c) before the first token."""
        output_size, gates = self.recurrent_kernel.shape
        return np.zeros((batch, output_size), np.float32), np.zeros((batch, gates // 4), np.float32)

    def __call__(self, x: NDArray[Any], h: Floats, c: Floats) -> tuple[Floats, Floats]:
        """The pair (h, c) after the input x: vectors (batch, input size), or for one-hot vectors their ids (batch,)."""
        # A one-hot vector times a matrix is one row of the matrix.
        from_input = self.kernel[x] if x.ndim == 1 else x @ self.kernel
        from_state = h @ self.recurrent_kernel
        z = _norm(from_input, self.input_scale) + _norm(from_state, self.recurrent_scale) + self.bias
        i, f, g, o = np.split(z, 4, axis=-1)

        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        remembered = _norm(c, self.state_scale)
        if self.state_offset is not None:
            remembered = remembered + self.state_offset
        h = sigmoid(o) * np.tanh(remembered)
        return h if self.projection is None else h @ self.projection, c


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), by way of tanh, which does not overflow."""
    tanh: Floats = np.tanh(0.5 * z)
    return 0.5 * tanh + 0.5


def _norm(a: Floats, scale: Floats | None) -> Floats:
    """Layer normalisation over the last axis; without a scale, the layer has none."""
    if scale is None:
        return a
    centred: Floats = a - a.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    deviation: Floats = np.sqrt(variance + np.float32(LAYER_NORM_EPSILON))
    return scale * centred / deviation
