"""Writes down one step of the network, for exports to other runtimes.

An exported model reads one token of each of B texts. With V tokens in the vocabulary, its inputs are::

    token          (B,)            int32     the token ids
    h_{i}          (B, width)      float32   the output of layer i in the last step
    c_{i}          (B, width)      float32   the cell state of layer i

with the states and widths of `ModelShape.states`, and its outputs, all float32::

    logits         (B, V)          the logits of the next tokens
    h_{i}_next     like h_{i}      the states to pass with the next tokens
    c_{i}_next     like c_{i}

All states are zero before the first token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textgen.planning.cells import CELLS
from textgen.planning.model_shape import EMBEDDING, OUTPUT_BIAS, OUTPUT_KERNEL, ModelShape, layer_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from textgen.planning.cells import Operations

TOKEN = "token"  # noqa: S105 - no password
LOGITS = "logits"


def next_name(state: str) -> str:
    """Returns the name of the output for a state."""
    return f"{state}_next"


def one_step(
    shape: ModelShape, operations: Callable[[str], Operations], token: Any, states: Mapping[str, Any]
) -> dict[str, Any]:
    """Computes a step, from token ids to logits.

    Args:
        shape: the shape of the model.
        operations: returns the operations of a layer, given the beginning of the names of its tensors.
        token: the token ids.
        states: the states by name.

    Returns:
        The outputs by name.
    """
    cell, x = CELLS[shape.kind], token
    if shape.embedding_size is not None:
        x = operations("").product(x, EMBEDDING)
    outputs: dict[str, Any] = {}
    for index in range(shape.layers):
        names = shape.layer_states(index)
        found = cell.step(operations(layer_tensor(index, "")), x, *(states[name] for name in names))
        outputs |= {next_name(name): state for name, state in zip(names, found, strict=True)}
        x = found[0]
    return {LOGITS: operations("").product(x, OUTPUT_KERNEL, OUTPUT_BIAS), **outputs}
