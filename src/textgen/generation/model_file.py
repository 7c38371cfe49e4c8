"""The model file, the one file that sampling opens; knows nothing of how its numbers are used.

It is a safetensors file, which any safetensors reader opens. The weights are float32 tensors; everything else lies in
the header as text. With V tokens in the vocabulary, n = `lstm_state_size`, out = `num_proj` or n, and d the width of a
layer's input (V for one-hot tokens, `embedding_size` for embedded ones, out above the first layer), the tensors are::

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
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from textgen.corpus import FIRST_TOKEN_ID, Vocabulary
from textgen.errors import FormatError, MissingError, from_os_error
from textgen.jobs import JobDirectory
from textgen.storage import write_atomic
from textgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = "textgen-lstm"
FORMAT_VERSION = 1

_GATES = 4
_ADVICE = "name a file that textgen-train wrote, or train the model again"


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A trained model, with all that is needed to write text with it.

    Attributes:
        tensors: the weights by name, float32; the module's docstring lists names and shapes.
        shape: the config fields that shape the model (`layers`, `lstm_state_size`, `embedding_size`, `num_proj`,
            `layer_norm`, `language_model`, ...), as JSON values; None where a part is not used.
        vocabulary: the tokens in id order, and how text is split into them and joined again.
        scores: `valid_loss` (nats per token), `valid_perplexity`, `valid_bits_per_character`; may be empty.
        data_sha256: the hash of the text it was trained on.
        step: the number of updates behind these weights.
        textgen_version: the version of textgen that trained it.
    """

    tensors: Mapping[str, NDArray[np.float32]]
    shape: Mapping[str, Any]
    vocabulary: Vocabulary
    scores: Mapping[str, float]
    data_sha256: str
    step: int
    textgen_version: str


def expected_shapes(shape: Mapping[str, Any], vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """The tensors that a model of this shape consists of.

    Args:
        shape: the config fields that shape the model, as in `ModelFile.shape`.
        vocabulary_size: the number of tokens, padding and `[UNK]` included.

    Returns:
        The shape of each tensor by its name, from the first layer to the last.

    Raises:
        FormatError: when a field is missing or no size.
    """
    state_size = _size(shape, "lstm_state_size")
    projected_size = None if shape.get("num_proj") is None else _size(shape, "num_proj")
    output_size = projected_size or state_size
    gates = _GATES * state_size

    shapes: dict[str, tuple[int, ...]] = {}
    input_size = vocabulary_size
    if shape.get("embedding_size") is not None:
        input_size = _size(shape, "embedding_size")
        shapes["embedding"] = (vocabulary_size, input_size)
    for index in range(_size(shape, "layers")):
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


def write_model(path: Path, model: ModelFile) -> None:
    """Writes a model file, whole or not at all.

    Args:
        path: the file; an old one is replaced.
        model: what to write; the tensors are stored as float32.

    Raises:
        FormatError: when the tensors do not fit the model's shape and vocabulary.
        TextgenError: when the operating system refuses.
    """
    tensors = {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in model.tensors.items()}
    try:
        _check_shapes({name: tensor.shape for name, tensor in tensors.items()}, model.shape, model.vocabulary.size)
    except FormatError as error:
        raise FormatError(f"cannot write {path}: {error}") from error
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "shape": json.dumps(dict(model.shape)),
        "vocabulary": json.dumps(model.vocabulary.to_json()),
        "scores": json.dumps(dict(model.scores)),
        "data_sha256": model.data_sha256,
        "step": str(model.step),
        "textgen_version": model.textgen_version,
    }
    write_atomic(path, save(tensors, metadata))


def read_model(path: Path) -> ModelFile:
    """Reads a model file.

    Args:
        path: the file, or a job directory, whose `model.safetensors` is meant.

    Returns:
        The model; its tensors have the names and shapes that its shape and vocabulary ask for.

    Raises:
        MissingError: when there is no such file, or the job directory holds no model yet.
        AccessError: when the file may not be read.
        FormatError: when it is no model file, is damaged, or was written by a newer textgen.
    """
    file = path
    try:
        if path.is_dir():
            file = JobDirectory(path).model
        with file.open("rb"):  # a missing file fails here, where the error says why; that of safe_open has no number
            pass
        with safe_open(file, framework="numpy") as opened:
            return _parse(opened, opened.metadata() or {})
    except OSError as error:
        if isinstance(error, FileNotFoundError) and file != path:
            raise MissingError(f"{path} holds no model yet; train one with textgen-train") from error
        raise from_os_error(error, f"cannot read {file}") from error
    except SafetensorError as error:
        raise FormatError(f"cannot use {file}: it is damaged or no model file ({error}); {_ADVICE}") from error
    except FormatError as error:
        raise FormatError(f"cannot use {file}: {error}") from error


def _parse(opened: Any, metadata: Mapping[str, str]) -> ModelFile:
    """Builds the model from an opened safetensors file; nothing large is loaded before all of it is checked."""
    version = metadata.get("format_version", "")
    if metadata.get("format") != FORMAT or not version.isdecimal():
        raise FormatError(f"it is a safetensors file, but no textgen model; {_ADVICE}")
    if int(version) > FORMAT_VERSION:
        raise FormatError(
            f"it has format version {version}, and textgen {__version__} reads up to version {FORMAT_VERSION}; "
            "upgrade textgen"
        )
    shape = _mapping(metadata, "shape")
    vocabulary = Vocabulary.from_json(_mapping(metadata, "vocabulary"))
    if vocabulary.size <= FIRST_TOKEN_ID:
        raise FormatError(f"its vocabulary holds no token that could be written; {_ADVICE}")
    scores = _mapping(metadata, "scores")
    step = metadata.get("step", "")
    if not step.isdecimal():
        raise FormatError(f"its step must be a whole number, not {step!r}; {_ADVICE}")

    parts = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 (not a dictionary)
    for name, part in parts.items():
        if part.get_dtype() != "F32":
            raise FormatError(f"its tensor {name} must hold F32 numbers, not {part.get_dtype()}; {_ADVICE}")
    _check_shapes({name: tuple(part.get_shape()) for name, part in parts.items()}, shape, vocabulary.size)
    return ModelFile(
        tensors={name: opened.get_tensor(name) for name in parts},
        shape=shape,
        vocabulary=vocabulary,
        scores=scores,
        data_sha256=metadata.get("data_sha256", ""),
        step=int(step),
        textgen_version=metadata.get("textgen_version", ""),
    )


def _mapping(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """Reads the JSON object that stands in the header under a key."""
    try:
        value = json.loads(metadata[key])
    except (KeyError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise FormatError(f"its {key} is missing or damaged; {_ADVICE}")
    return value


def _check_shapes(found: Mapping[str, tuple[int, ...]], shape: Mapping[str, Any], vocabulary_size: int) -> None:
    """Refuses tensors that are not exactly those of the declared shape."""
    expected = expected_shapes(shape, vocabulary_size)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise FormatError(f"its tensor {name} is missing; {_ADVICE}")
        if name not in expected:
            raise FormatError(f"its tensor {name} has no place in a model of its shape; {_ADVICE}")
        if found[name] != expected[name]:
            raise FormatError(f"its tensor {name} must have shape {expected[name]}, not {found[name]}; {_ADVICE}")


def _size(shape: Mapping[str, Any], field: str) -> int:
    """Reads a field that counts something."""
    value = shape.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise FormatError(f"its {field} must be a whole number of at least 1, not {value!r}; {_ADVICE}")
    return value
