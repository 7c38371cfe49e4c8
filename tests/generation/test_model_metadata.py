from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from textgen.config import TrainingConfig, settings
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.errors import FormatError
from textgen.generation.model_metadata import LaterVersionError, from_metadata, to_metadata
from textgen.planning import ModelShape
from textgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from textgen.generation import ModelFile

SIZES = ["layers", "lstm_state_size", "embedding_size", "num_proj", "vocab_size"]
SHAPING = [setting.switch or setting for setting in settings(TrainingConfig) if setting.option.shapes_checkpoint]
NEWER = f", so it was made by a newer textgen than {__version__}; upgrade textgen"


@pytest.fixture
def content(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> dict[str, Any]:
    """The fields of a sound model file."""
    fields = {name: value for name, value in vars(make_model(plain)).items() if name not in {"tensors", "sha256"}}
    [text] = to_metadata(fields).values()
    content: dict[str, Any] = json.loads(text)
    return content


@pytest.fixture
def read(content: dict[str, Any]) -> Callable[[dict[str, Any]], ModelShape]:
    """A function that reads a file whose shape has given fields, and returns the shape."""

    def read(fields: dict[str, Any]) -> ModelShape:
        found, _, _ = from_metadata({"textgen": json.dumps({**content, "shape": fields})})
        shape: ModelShape = found["shape"]
        return shape

    return read


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", ["4", 1.5, 4.0, True, [4], {}, 0, -1, 2**31, 10**18])
def test_a_size_is_a_whole_number(read: Any, plain: dict[str, Any], field: str, value: object) -> None:
    """A size must be a whole number, and at least 1. The limits are the file's, so that no number of layers takes all memory."""
    largest = "1,000" if field == "layers" else "2,147,483,647"
    with pytest.raises(FormatError, match=f"^its {field} must be a whole number from 1 to {largest}, not "):
        read(plain | {field: value})


def test_a_file_may_have_what_no_flag_gives(read: Any) -> None:
    """The limits of flags are not those of files: a program with a higher limit writes files that this one reads."""
    fields = {"layers": 1000, "lstm_state_size": 2**31 - 1, "embedding_size": 2**31 - 1, "vocab_size": 1}
    assert read(fields).layers == 1000
    [most] = [setting.option.most for setting in SHAPING if setting.name == "layers"]
    assert most is not None
    assert most < 1000


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layer_norm", 1, "its layer_norm must be true or false, not 1"),
        ("layer_norm", None, "its layer_norm must be true or false, not None"),
        ("layers", None, "its layers must be a whole number from 1 to 1,000, not None"),
        ("language_model", 3, "its language_model must be at most 64 printable characters, not 3"),
        ("language_model", "x" * 10**6, "its language_model must be at most 64 printable characters, not 'xxx"),
        ("cell", None, "its cell must be at most 64 printable characters, not None"),
    ],
)
def test_a_field_of_another_type(read: Any, plain: dict[str, Any], field: str, value: object, message: str) -> None:
    """A value that a field cannot have is refused by the field's name."""
    with pytest.raises(FormatError, match=f"^{message}"):
        read(plain | {field: value})


@pytest.mark.parametrize("field", ["layers", "lstm_state_size"])
def test_a_field_that_is_missing(read: Any, plain: dict[str, Any], field: str) -> None:
    """`layers` and `lstm_state_size` are required."""
    del plain[field]
    with pytest.raises(FormatError, match=f"its shape has no {field}"):
        read(plain)


def test_optional_fields_have_the_value_of_an_unused_part(read: Any, plain: dict[str, Any]) -> None:
    """A file without them contains a plain model, as it always did."""
    assert read({"layers": 2, "lstm_state_size": 4}) == read(plain) == read(plain | {"cell": "lstm"})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dropout_kind", "variational", "its shape has the field 'dropout_kind'"),
        ("a\nb\ud800", 1, r"its shape has the field 'a\\nb\\ud800'"),
        ("cell", "gru", "its cell is 'gru'"),
        ("cell", "lstm-proj", "its cell is 'lstm-proj'"),
        ("cell", "", "its cell is ''"),
    ],
)
def test_a_model_of_a_newer_textgen(read: Any, plain: dict[str, Any], field: str, value: object, message: str) -> None:
    """A field or a cell that this program does not know comes from a later one, which the message says."""
    with pytest.raises(LaterVersionError, match=f"^{message}{NEWER}$"):
        read(plain | {field: value})


@pytest.mark.parametrize("setting", SHAPING, ids=lambda setting: setting.name)
def test_what_can_be_trained_can_be_read(read: Any, setting: Any) -> None:
    """Each setting that shapes a model is accepted at its default and its limits."""
    option = setting.option
    extremes = [limit for limit in (option.least, option.most) if limit is not None]
    for value in [setting.default, *extremes, *([True, False] if option.kind is bool else [])]:
        read({"layers": 2, "lstm_state_size": 4, setting.name: value})


def test_a_projection_may_be_normalised(read: Any, plain: dict[str, Any]) -> None:
    """The file format allows layer normalisation with a projection, which is never trained."""
    assert read(plain | {"layer_norm": True, "num_proj": 2}).kind == "lstm-norm-proj"


def test_a_file_without_a_version_of_the_split_has_the_first(content: dict[str, Any]) -> None:
    """A word model that was trained before words kept their marks is read as it always was."""
    vocabulary = Vocabulary(("", "[UNK]", "\n", "ही", "ह", "ी"), make_tokenizer("word", version=1))
    content["vocabulary"] = {name: part for name, part in vocabulary.to_json().items() if name != "tokenizer_version"}
    fields, _, _ = from_metadata({"textgen": json.dumps(content)})
    assert fields["vocabulary"] == vocabulary
    assert fields["vocabulary"].encode("ही") == [4, 5]


def test_a_later_split_asks_for_an_upgrade(content: dict[str, Any]) -> None:
    """A model whose words only a later textgen splits is refused for that reason."""
    content["vocabulary"]["tokenizer_version"] = 7
    with pytest.raises(
        LaterVersionError, match=r"^its \w+ split has version 7, and textgen .* to version \d; upgrade textgen$"
    ):
        from_metadata({"textgen": json.dumps(content)})


def test_version_1_was_never_released() -> None:
    """A file with a key for each field, and a hash nowhere, is no model."""
    with pytest.raises(FormatError, match="a safetensors file, but no textgen model"):
        from_metadata({"format": "textgen-lstm", "format_version": "1", "shape": "{}"})
