"""Validates the shape of a model, and lists the tensors that belong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textgen.config import Setting, TrainingConfig, settings
from textgen.config.values import check_value
from textgen.errors import FormatError, UsageError
from textgen.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_GATES = 4
_NEVER_LEFT_OUT = ("layers", "lstm_state_size")
_IN_WORDS: dict[Any, str] = {int: "a whole number", bool: "true or false", str: "a short text"}
_LONGEST_TEXT = 64


def check_shape(shape: Mapping[str, Any]) -> None:
    """Refuses a shape that no config could have. Only layer_norm with num_proj is accepted, though training refuses it.

    Args:
        shape: the config fields that shape the model, as in `ModelFile.shape`; a missing field is not used.

    Raises:
        FormatError: if a field is missing, unknown, of another type, or out of range.
    """
    shaping = [setting for setting in settings(TrainingConfig) if setting.option.shapes_checkpoint]
    known = {field.name: field for field in (setting.switch or setting for setting in shaping)}
    for name in _NEVER_LEFT_OUT:
        if name not in shape:
            raise FormatError(f"its shape has no {name}")
    for name, value in shape.items():
        if name not in known:
            raise FormatError(f"its shape has the unknown field {shown(name)}")
        _check_field(known[name], value)


def expected_shapes(shape: Mapping[str, Any], vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the tensors of a model.

    Args:
        shape: the config fields that shape the model, as in `ModelFile.shape`.
        vocabulary_size: the number of tokens, including padding and `[UNK]`.

    Returns:
        The shape of each tensor by name, from the first layer to the last.

    Raises:
        FormatError: if the shape is invalid; see `check_shape`.
    """
    check_shape(shape)
    state_size, projected_size = shape["lstm_state_size"], shape.get("num_proj")
    output_size = projected_size or state_size
    gates = _GATES * state_size

    shapes: dict[str, tuple[int, ...]] = {}
    input_size = vocabulary_size
    if shape.get("embedding_size") is not None:
        input_size = shape["embedding_size"]
        shapes["embedding"] = (vocabulary_size, input_size)
    for index in range(shape["layers"]):
        layer = f"layers.{index}"
        shapes[f"{layer}.kernel"] = (input_size, gates)
        shapes[f"{layer}.recurrent_kernel"] = (output_size, gates)
        shapes[f"{layer}.bias"] = (gates,)
        if projected_size is not None:
            shapes[f"{layer}.projection"] = (state_size, projected_size)
        if shape.get("layer_norm"):
            shapes[f"{layer}.input_scale"] = (gates,)
            shapes[f"{layer}.recurrent_scale"] = (gates,)
            shapes[f"{layer}.state_scale"] = (state_size,)
            shapes[f"{layer}.state_offset"] = (state_size,)
        input_size = output_size
    shapes["output.kernel"] = (output_size, vocabulary_size)
    shapes["output.bias"] = (vocabulary_size,)
    return shapes


def _check_field(setting: Setting, value: Any) -> None:
    """Refuses a value that the setting cannot have. JSON has types, so nothing is converted."""
    if value is None and setting.nullable:
        return
    kind = setting.option.kind
    if type(value) is not kind or (isinstance(value, str) and len(value) > _LONGEST_TEXT):
        raise FormatError(f"its {setting.name} must be {_IN_WORDS[kind]}, got {shown(value)}")
    try:
        check_value(setting, value)
    except UsageError as error:
        raise FormatError(f"its {error}") from error
