"""The signature of a one-step model: names and widths of what a runtime gives it and gets back; knows of no format.

It reads a token of each of B texts that are written side by side. With V tokens in the vocabulary, it is given::

    token          (B,)                             int32      the ids of the tokens
    h_{i}          (B, num_proj or lstm_state_size)  float32   what layer i said last
    c_{i}          (B, lstm_state_size)              float32   what layer i remembers

and gives back, all float32::

    logits         (B, V)                            of the next tokens
    h_{i}_next     as h_{i}                          the states to give with the next tokens
    c_{i}_next     as c_{i}

Before the first token all states are zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "token"  # noqa: S105 - no password
LOGITS = "logits"


def state_names(layer: int) -> tuple[str, str]:
    """The names of a layer's states h and c."""
    return f"h_{layer}", f"c_{layer}"


def next_name(state: str) -> str:
    """The name under which a state is given back."""
    return f"{state}_next"


def state_widths(shape: Mapping[str, Any]) -> dict[str, int]:
    """The width of each state by its name, from the first layer to the last.

    Args:
        shape: the config fields that shape the model, as in `ModelFile.shape`.
    """
    size = shape["lstm_state_size"]
    widths: dict[str, int] = {}
    for layer in range(shape["layers"]):
        h, c = state_names(layer)
        widths |= {h: shape.get("num_proj") or size, c: size}
    return widths
