from __future__ import annotations

from typing import Any

import pytest

from textgen.config import TrainingConfig, settings, shape
from textgen.errors import FormatError
from textgen.generation.model_shape import check_shape, expected_shapes

SHAPING = [setting for setting in settings(TrainingConfig) if setting.option.shapes_checkpoint]
SIZES = ["layers", "lstm_state_size", "embedding_size", "num_proj", "vocab_size"]


def test_expected_shapes_of_everything_at_once() -> None:
    """With every part in use, the names and shapes match the table in `model_file`'s docstring."""
    shape = {"layers": 2, "lstm_state_size": 5, "embedding_size": 3, "num_proj": 2, "layer_norm": True}
    norm = {"input_scale": (20,), "recurrent_scale": (20,), "state_scale": (5,), "state_offset": (5,)}
    layer = {"recurrent_kernel": (2, 20), "bias": (20,), "projection": (5, 2), **norm}
    assert expected_shapes(shape, 7) == {
        "embedding": (7, 3),
        "layers.0.kernel": (3, 20),
        **{f"layers.0.{name}": size for name, size in layer.items()},
        "layers.1.kernel": (2, 20),
        **{f"layers.1.{name}": size for name, size in layer.items()},
        "output.kernel": (2, 7),
        "output.bias": (7,),
    }


def test_expected_shapes_of_a_plain_model() -> None:
    """Without the optional parts, the first layer reads one-hot tokens and every later one the layer below."""
    assert expected_shapes({"layers": 2, "lstm_state_size": 5}, 7) == {
        "layers.0.kernel": (7, 20),
        "layers.0.recurrent_kernel": (5, 20),
        "layers.0.bias": (20,),
        "layers.1.kernel": (5, 20),
        "layers.1.recurrent_kernel": (5, 20),
        "layers.1.bias": (20,),
        "output.kernel": (5, 7),
        "output.bias": (7,),
    }


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", ["4", 1.5, 4.0, True, [4], {}])
def test_a_size_is_a_whole_number(plain: dict[str, Any], field: str, value: object) -> None:
    """A count must be a whole number, not a bool, float or string; the error names the field."""
    with pytest.raises(FormatError, match=f"its {field} must be a whole number, got "):
        expected_shapes(plain | {field: value}, 6)


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", [0, -1, 2**31, 10**18])
def test_a_size_has_limits(plain: dict[str, Any], field: str, value: int) -> None:
    """The limits are those of the setting, so that a huge number of layers is refused quickly."""
    with pytest.raises(FormatError, match=f"its {field} must be at least .* and at most .*, got {value}$"):
        expected_shapes(plain | {field: value}, 6)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layer_norm", 1, "its layer_norm must be true or false, got 1"),
        ("layer_norm", None, "its layer_norm must be true or false, got None"),
        ("layers", None, "its layers must be a whole number, got None"),
        ("language_model", 3, "its language_model must be a short text, got 3"),
        ("language_model", "x" * 10**6, "its language_model must be a short text, got 'xxx"),
        ("language_model", "byte", "its language_model must be one of char, word, got 'byte'"),
        ("dropout", 0.1, "its shape has the unknown field 'dropout'"),
        ("a\nb\ud800", 1, r"its shape has the unknown field 'a\\nb\\ud800'"),
    ],
)
def test_a_field_that_no_config_has(plain: dict[str, Any], field: str, value: object, message: str) -> None:
    """Fields that do not shape a model are refused, and so are values that the setting cannot have."""
    with pytest.raises(FormatError, match=f"^{message}"):
        check_shape(plain | {field: value})


@pytest.mark.parametrize("field", ["layers", "lstm_state_size"])
def test_a_field_that_is_missing(plain: dict[str, Any], field: str) -> None:
    """`layers` and `lstm_state_size` are required."""
    del plain[field]
    with pytest.raises(FormatError, match=f"its shape has no {field}"):
        check_shape(plain)


@pytest.mark.parametrize("setting", SHAPING, ids=lambda setting: setting.name)
def test_what_can_be_trained_can_be_read(setting: Any) -> None:
    """Each setting that shapes a model is accepted at its default and its limits, and so is the shape of any config."""
    option = setting.option
    extremes = [limit for limit in (option.least, option.most) if limit is not None]
    for value in [*extremes, *(option.choices or ()), *([True, False] if option.kind is bool else [])]:
        check_shape(shape(TrainingConfig(**{setting.name: value})))


def test_a_projection_may_be_normalised(plain: dict[str, Any]) -> None:
    """The file format allows layer normalisation with a projection, which is never trained."""
    check_shape(plain | {"layer_norm": True, "num_proj": 2})
