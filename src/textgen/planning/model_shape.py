"""The shape of a network: its tensors and states, and the number of its weights.

With V tokens in the vocabulary, d the width of a layer's input (V for one-hot tokens, `embedding_size` for embedded ones, and
the width of the layer's output above the first layer), n = `lstm_state_size` and out = `num_proj` or n, the tensors are::

    embedding                     (V, embedding_size)   with embedding_size
    layers.{i}.kernel             (d, 4n)               the gates in Keras' order: i, f, c, o
    layers.{i}.recurrent_kernel   (out, 4n)
    layers.{i}.bias               (4n,)
    layers.{i}.projection         (n, num_proj)         with num_proj
    layers.{i}.input_scale        (4n,)                 with layer_norm
    layers.{i}.recurrent_scale    (4n,)                 with layer_norm
    layers.{i}.state_scale        (n,)                  with layer_norm
    layers.{i}.state_offset       (n,)                  with layer_norm
    output.kernel                 (out, V)
    output.bias                   (V,)

`cells` defines those of a layer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from textgen.config import TrainingConfig, settings
from textgen.formatting import count
from textgen.planning.cells import CELLS, Cell

EMBEDDING, OUTPUT_KERNEL, OUTPUT_BIAS = "embedding", "output.kernel", "output.bias"
"""The tensors outside the layers."""
FLOAT_BYTES = 4
"""The bytes of a weight, and of a number in a state."""

Tensor = TypeVar("Tensor")


@dataclass(frozen=True)
class ModelShape:
    """The shape of a network. All fields except `vocabulary_size` are settings.

    Attributes:
        lstm_state_size: the width of each layer's state.
        layers: the number of recurrent layers.
        vocabulary_size: the number of token ids, including padding and `[UNK]`.
        embedding_size: the width of the embedding; None for one-hot tokens.
        layer_norm: whether the layers are normalised.
        num_proj: the width of each layer's projected output; None without a projection.
        cell: the family of the cell.

    Example:
        >>> ModelShape(lstm_state_size=2, layers=1, vocabulary_size=11).parameters
        145
    """

    lstm_state_size: int
    layers: int
    vocabulary_size: int
    embedding_size: int | None = None
    layer_norm: bool = False
    num_proj: int | None = None
    cell: str = "lstm"

    @classmethod
    def of(cls, values: Mapping[str, Any], vocabulary_size: int) -> ModelShape:
        """Makes the shape that settings describe.

        Args:
            values: the settings by name, such as `vars(config)`; others than those of a shape are ignored.
            vocabulary_size: the number of token ids.
        """
        return cls(vocabulary_size=vocabulary_size, **{name: values[name] for name in _SETTINGS if name in values})

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name, as `of` takes them, without newer settings that have their defaults.

        So the model file of a shape that an earlier textgen knows is one that it reads.
        """
        values = {name: getattr(self, name) for name in _SETTINGS}
        return {name: value for name, value in values.items() if name in _IN_EVERY_FILE or value != _DEFAULTS[name]}

    @property
    def kind(self) -> str:
        """The key of the cell in each table of cells: its family and its variants, such as `lstm-norm`."""
        variants = {"norm": self.layer_norm, "proj": self.num_proj is not None}
        return "-".join([self.cell, *(name for name, is_used in variants.items() if is_used)])

    @cached_property
    def tensors(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each tensor by its name in a model file, from the input to the output."""
        found: dict[str, tuple[int, ...]] = {}
        width = self.vocabulary_size
        if self.embedding_size is not None:
            width = self.embedding_size
            found[EMBEDDING] = (self.vocabulary_size, width)
        for index in range(self.layers):
            own = self._cell.tensors(self, width)
            found |= {layer_tensor(index, name): size for name, size in own.items()}
            width = self.output_size
        return {**found, OUTPUT_KERNEL: (width, self.vocabulary_size), OUTPUT_BIAS: (self.vocabulary_size,)}

    @property
    def token_vectors(self) -> str:
        """The name of the tensor that has a row for each token."""
        return layer_tensor(0, "kernel") if self.embedding_size is None else EMBEDDING

    @property
    def output_size(self) -> int:
        """The width of each layer's output."""
        return next(iter(self._cell.states(self).values()))

    @cached_property
    def states(self) -> Mapping[str, int]:
        """The width of each state by name, from the first layer to the last: `h_0`, `c_0`, `h_1`, ..."""
        widths = self._cell.states(self).items()
        return {f"{name}_{index}": width for index in range(self.layers) for name, width in widths}

    def layer_states(self, index: int) -> tuple[str, ...]:
        """Returns the names of a layer's states. The first one is its output."""
        return tuple(f"{name}_{index}" for name in self._cell.states(self))

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(map(math.prod, self.tensors.values()))

    @property
    def weight_bytes(self) -> int:
        """The bytes of the weights, as float32."""
        return FLOAT_BYTES * self.parameters

    @property
    def state_bytes(self) -> int:
        """The bytes of the states of one text, as float32."""
        return FLOAT_BYTES * sum(self.states.values())

    @property
    def activations(self) -> int:
        """The numbers per token that training keeps for the backward pass of the recurrent layers."""
        return self._cell.activations * self.lstm_state_size * self.layers

    @property
    def relative_time(self) -> float:
        """The time of training, relative to a plain LSTM with as many weights."""
        return self._cell.relative_time

    def describe(self) -> str:
        """Returns the layers in words."""
        parts = [
            f"{count(self.layers, f'{self._cell.name} layer')} of {self.lstm_state_size} states",
            "one-hot input" if self.embedding_size is None else f"embedding of {self.embedding_size}",
            *self._cell.details(self),
        ]
        return ", ".join(parts)

    @property
    def _cell(self) -> Cell:
        return CELLS[self.kind]


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(ModelShape)}
_SETTINGS = tuple(name for name in _DEFAULTS if name != "vocabulary_size")
_IN_EVERY_FILE = ("lstm_state_size", "layers", "embedding_size", "layer_norm", "num_proj")

SHAPE_SETTINGS = tuple(setting.name for setting in settings(TrainingConfig) if setting.name in _SETTINGS)
"""The settings that shape the network. If any of them is given by hand, the others keep their defaults."""


def shape_values(model: TrainingConfig | ModelShape) -> dict[str, Any]:
    """Returns the values of the `SHAPE_SETTINGS`, by name."""
    return {name: getattr(model, name) for name in SHAPE_SETTINGS}


def layer_tensor(index: int, name: str) -> str:
    """Returns the name in a model file of a layer's tensor."""
    return f"layers.{index}.{name}"


def tensors_of_layer(tensors: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    """Returns a layer's tensors by their names in the layer."""
    prefix = layer_tensor(index, "")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
