"""The signature of an exported one-step model: the names and shapes of its inputs and outputs.

The model reads one token of each of B texts. With V tokens in the vocabulary, its inputs are::

    token          (B,)                              int32     the token ids
    h_{i}          (B, num_proj or lstm_state_size)  float32   the output of layer i in the last step
    c_{i}          (B, lstm_state_size)              float32   the cell state of layer i

and its outputs, all float32::

    logits         (B, V)                            the logits of the next tokens
    h_{i}_next     like h_{i}                        the states to pass with the next tokens
    c_{i}_next     like c_{i}

All states are zero before the first token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "token"  # noqa: S105 - no password
LOGITS = "logits"


def state_names(layer: int) -> tuple[str, str]:
    """Returns the names of a layer's states h and c."""
    return f"h_{layer}", f"c_{layer}"


def next_name(state: str) -> str:
    """Returns the name of the output for a state."""
    return f"{state}_next"


def state_widths(shape: Mapping[str, Any]) -> dict[str, int]:
    """Returns the width of each state by name, from the first layer to the last.

    Args:
        shape: the config fields that shape the model, as in `ModelFile.shape`.
    """
    size = shape["lstm_state_size"]
    widths: dict[str, int] = {}
    for layer in range(shape["layers"]):
        h, c = state_names(layer)
        widths |= {h: shape.get("num_proj") or size, c: size}
    return widths
