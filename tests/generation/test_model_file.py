from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import AccessError, FormatError, MissingError
from textgen.generation import read_model, write_model
from textgen.generation.model_file import expected_shapes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textgen.generation import ModelFile

    Change = Callable[[dict[str, str], dict[str, Any]], object]


@pytest.fixture
def path(tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> Path:
    """A sound model file."""
    path = tmp_path / "model.safetensors"
    write_model(path, make_model(plain))
    return path


def change(path: Path, how: Change) -> None:
    """Rewrites a model file after a change to its metadata and tensors."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
    how(metadata, tensors)
    save_file(tensors, path, metadata)


def test_round_trip(tmp_path: Path, make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """What is written comes back: every tensor bit by bit, and everything beside them."""
    model = make_model(kind)
    write_model(tmp_path / "m.safetensors", model)
    read = read_model(tmp_path / "m.safetensors")
    assert read.tensors.keys() == model.tensors.keys()
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == np.float32
    for field in ("shape", "vocabulary", "scores", "data_sha256", "step", "textgen_version"):
        assert getattr(read, field) == getattr(model, field)


def test_numbers_become_float32(tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """Weights of another type or memory order are stored as what they say, in float32."""
    model = make_model(plain)
    other = {name: np.asfortranarray(tensor.astype(np.float64)) for name, tensor in model.tensors.items()}
    write_model(tmp_path / "m.safetensors", make_model(plain, other))
    read = read_model(tmp_path / "m.safetensors")
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == np.float32


def test_expected_shapes_of_everything_at_once() -> None:
    """With every part in use, the names and shapes are those of the table in the module's docstring."""
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


@pytest.mark.parametrize("field", ["layers", "lstm_state_size", "embedding_size", "num_proj"])
@pytest.mark.parametrize("value", [0, -1, "4", 1.5, True])
def test_impossible_sizes(plain: dict[str, Any], field: str, value: object) -> None:
    """A field that counts something is a whole number of at least 1, and the refusal names the field."""
    with pytest.raises(FormatError, match=f"{field} must be a whole number of at least 1"):
        expected_shapes(plain | {field: value}, 6)


def edit_shape(**fields: object) -> Change:
    return lambda metadata, _: metadata.update(shape=json.dumps(json.loads(metadata["shape"]) | fields))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda metadata, _: metadata.clear(), "no textgen model"),
        (lambda metadata, _: metadata.update(format="other"), "no textgen model"),
        (lambda metadata, _: metadata.update(format_version="x"), "no textgen model"),
        (lambda metadata, _: metadata.pop("shape"), "shape is missing or damaged"),
        (lambda metadata, _: metadata.update(shape="[]"), "shape is missing or damaged"),
        (lambda metadata, _: metadata.update(shape="{"), "shape is missing or damaged"),
        (lambda metadata, _: metadata.update(vocabulary="null"), "vocabulary is missing or damaged"),
        (lambda metadata, _: metadata.update(vocabulary="{}"), "cannot use"),
        (lambda metadata, _: metadata.update(scores="1"), "scores is missing or damaged"),
        (lambda metadata, _: metadata.update(step="-1"), "step must be a whole number"),
        (edit_shape(layers=0), "layers must be a whole number of at least 1, not 0"),
        (edit_shape(layers=3), "layers.2.bias is missing"),
        (edit_shape(layers=1), "layers.1.bias has no place"),
        (edit_shape(layer_norm=True), "layers.0.input_scale is missing"),
        (edit_shape(lstm_state_size=5), r"layers.0.bias must have shape \(20,\), not \(16,\)"),
        (lambda _, tensors: tensors.pop("output.kernel"), "output.kernel is missing"),
        (lambda _, tensors: tensors.update(other=np.zeros(1, np.float32)), "other has no place"),
        (lambda _, tensors: tensors.update({"output.bias": np.zeros(5, np.float32)}), r"shape \(6,\), not \(5,\)"),
        (lambda _, tensors: tensors.update({"output.bias": np.zeros(6)}), "must hold F32 numbers, not F64"),
    ],
)
def test_damage_is_refused(path: Path, how: Change, message: str) -> None:
    """Metadata or tensors that do not belong together are refused on one line that names the file and the part."""
    change(path, how)
    with pytest.raises(FormatError, match=message) as caught:
        read_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_file_is_refused(path: Path, keep: int) -> None:
    """A file that was cut off anywhere is refused by name."""
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"model\.safetensors"):
        read_model(path)


def test_other_file_is_refused(tmp_path: Path) -> None:
    """A text is no model file."""
    (tmp_path / "story.txt").write_text("Once upon a time. " * 100)
    with pytest.raises(FormatError, match=r"story\.txt"):
        read_model(tmp_path / "story.txt")


def test_newer_format_asks_for_an_upgrade(path: Path) -> None:
    """A file of a later version says which it is, and what helps, even where nothing else in it is understood."""
    change(path, lambda metadata, _: metadata.update(format_version="12", shape="?"))
    with pytest.raises(FormatError, match=r"format version 12.*upgrade textgen"):
        read_model(path)


def test_empty_vocabulary_is_refused(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any], vocabulary: Vocabulary
) -> None:
    """A model that knows no token but padding and `[UNK]` could never write anything."""
    write_model(
        tmp_path / "m.safetensors", make_model(plain, vocabulary=Vocabulary(("", "[UNK]"), vocabulary.tokenizer))
    )
    with pytest.raises(FormatError, match="holds no token that could be written"):
        read_model(tmp_path / "m.safetensors")


def test_tensors_that_do_not_fit_are_not_written(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]
) -> None:
    """What could not be read again is not written at all."""
    tensors = dict(make_model(plain).tensors)
    del tensors["output.bias"]
    with pytest.raises(FormatError, match=r"cannot write .*output.bias is missing"):
        write_model(tmp_path / "m.safetensors", make_model(plain, tensors))
    assert not list(tmp_path.iterdir())


def test_job_directory_stands_for_its_model(path: Path) -> None:
    """The path of a job directory opens the model in it."""
    assert read_model(path.parent).step == read_model(path).step == 7


def test_job_directory_without_model(tmp_path: Path) -> None:
    """A job that has exported nothing yet says so, and how to get a model."""
    with pytest.raises(MissingError, match="holds no model yet; train one with textgen-train"):
        read_model(tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    """A path at which nothing stands is named."""
    with pytest.raises(MissingError, match="nowhere: there is no such file"):
        read_model(tmp_path / "nowhere")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_file(path: Path) -> None:
    """A file that may not be read is named, with the reason."""
    path.chmod(0)
    with pytest.raises(AccessError, match=r"model\.safetensors: Permission denied"):
        read_model(path)
