r"""Reads and writes the model file, the one file that sampling opens.

It is a safetensors file, which any safetensors reader opens. The weights are float32 tensors. In version 3 they are float16
tensors, which are converted to float32 when they are read. `planning.model_shape` lists their names and shapes.

Everything else is a JSON object, as text under the only key `textgen` of the header's metadata. There is one key because
safetensors writes several in any order, and the same model must always give the same bytes. Its fields are `format` and
`format_version`, `sha256`, and those of `ModelFile`, of which `settings` is a part of `shape`. Versions 2 and 3 differ only in the
type of the weights, so that earlier versions of textgen can still read float32 files. A later textgen may add fields that sampling
does not need, which are ignored. A new field of the shape is refused, because the network then differs.

`sha256` is the hash, in hex, of the whole file, in which the 64 characters of the hash itself count as 64 zeros (the
character 0). So a change of any bit is noticed. It is not a signature: whoever can write the file can write its hash.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from textgen.corpus import Vocabulary, longest_after_white_space
from textgen.errors import FormatError, MissingError, UnavailableError, from_os_error
from textgen.generation.model_header import METADATA, header_size, parse_header, read_header, tensors_in_order
from textgen.generation.model_metadata import (
    LAST_STEP,
    LONGEST_SETTINGS,
    LONGEST_TEXT,
    NO_HASH,
    LaterVersionError,
    from_metadata,
    to_metadata,
)
from textgen.jobs import JobDirectory
from textgen.planning import ModelShape
from textgen.storage import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["ModelFile", "longest_header", "overflows", "read_model", "write_model"]

_WEIGHTS = {"F32": "<f4", "F16": "<f2"}
"""The types of the weights, as safetensors and as NumPy name them."""
_ADVICE = "name a file that textgen-train wrote, or train the model again"
_BLOCK = 1 << 20
_ROOM_FOR_SCORES = 1000
"""In bytes of the header; training writes four."""
_LARGEST_WEIGHT = 1e12
"""Far beyond what training gives, and low enough that no product of weights and states overflows."""


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A trained model, with everything needed to write text with it.

    Attributes:
        tensors: the weights by name, float32; `shape.tensors` lists names and shapes.
        shape: the shape of the network.
        vocabulary: the tokens in id order, and how text is split into them and joined again.
        scores: `valid_loss` (nats per token), `valid_perplexity`, `valid_bits_per_character`; may be empty. An
            infinite one is not written.
        data_sha256: the hash of the text it was trained on.
        step: the number of updates that led to these weights.
        textgen_version: the version of textgen that trained it.
        after_white_space: for each white-space token, which white space and which of `,.;:!?` directly follow it in the
            training text; a token that nothing of these follows may be missing. None where this is unknown, as for
            character models and in files of earlier versions.
        unwrapped: whether the training text was unwrapped: hard-wrapped paragraphs became one line each. Not in files of earlier
            versions, and not written if it is False.
        started_from: the `sha256` of the model that its training started from; None if it started from scratch.
        settings: the other settings of a job's name, as JSON values: `language_model`, `vocab_size`, `lowercase`, `use_fp16`.
            Sampling does not need them; they may be missing.
        sha256: the hash in the file that it was read from; empty for a model that was not read. It is not written.
    """

    tensors: Mapping[str, NDArray[np.float32]]
    shape: ModelShape
    vocabulary: Vocabulary
    scores: Mapping[str, float]
    data_sha256: str
    step: int
    textgen_version: str
    after_white_space: Mapping[str, Sequence[str]] | None = None
    unwrapped: bool = False
    started_from: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


class _Header(NamedTuple):
    """What is before the weights, checked.

    Attributes:
        content: its bytes.
        sha256: the hash that the file must have.
        fields: the attributes of `ModelFile` that are in it.
        weights: the type of the weights, a key of `_WEIGHTS`.
        shapes: the shape of each tensor by its name, in the order of the file.
    """

    content: bytes
    sha256: str
    fields: Mapping[str, Any]
    weights: str
    shapes: Mapping[str, tuple[int, ...]]


def longest_header(shape: ModelShape, vocabulary: Vocabulary) -> int:
    """Returns the largest size in bytes that the header of a model file may have, before there is a model.

    Args:
        shape: as in `ModelFile`.
        vocabulary: as in `ModelFile`.
    """
    unknown = {
        "settings": LONGEST_SETTINGS,
        "scores": {},
        "data_sha256": "0" * LONGEST_TEXT,
        "step": LAST_STEP,
        "textgen_version": "0" * LONGEST_TEXT,
        "after_white_space": longest_after_white_space(vocabulary.tokens)
        if vocabulary.tokenizer.guards_spacing
        else None,
        "unwrapped": True,
        "started_from": "0" * LONGEST_TEXT,
    }
    metadata = to_metadata({"shape": shape, "vocabulary": vocabulary, **unknown})
    return header_size(shape.tensors, metadata) + _ROOM_FOR_SCORES


def write_model(path: Path, model: ModelFile, *, weights: Literal["F32", "F16"] = "F32") -> None:
    """Writes a model file, whole or not at all; the same model gives the same bytes.

    Args:
        path: the file; an old one is replaced.
        model: what to write.
        weights: the type in which the tensors are stored: float32 (`F32`), or float16 (`F16`) for half the size.

    Raises:
        FormatError: if `read_model` would not accept the model.
        TextgenError: if the operating system refuses.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    with np.errstate(over="ignore"):  # what float16 cannot hold becomes infinite, which is refused below
        tensors = {name: np.ascontiguousarray(tensor, _WEIGHTS[weights]) for name, tensor in model.tensors.items()}
    fields = {name: value for name, value in vars(model).items() if name not in {"tensors", "sha256"}}
    try:
        data = save(tensors, to_metadata(fields, weights))
        at, sha256 = data.index(NO_HASH), hashlib.sha256(data).hexdigest()
        data = b"".join([data[:at], sha256.encode(), memoryview(data)[at + len(NO_HASH) :]])
        _read_header(io.BytesIO(data), len(data))
        _refuse_infinite(tensors)
    except (FormatError, LaterVersionError, SafetensorError, ValueError) as error:
        raise FormatError(f"cannot write {path}: {error}") from error
    write_atomic(path, data)


def read_model(path: Path, name: str | None = None) -> ModelFile:
    """Reads a model file, which may be damaged or hostile.

    The weights are loaded after the header is checked, and once: the bytes that are hashed are those that are used, so
    that it does not matter if the file is replaced meanwhile.

    Args:
        path: the file, or a job directory with a `model.safetensors`.
        name: the file's name in messages, if it was copied from elsewhere; None is its path.

    Returns:
        The model; its tensors have the names and shapes that follow from its shape and vocabulary, and are finite.

    Raises:
        MissingError: if there is no such file, or the job directory contains no model yet.
        AccessError: if the file may not be read.
        FormatError: if it is not a model file, is damaged, or was written by a newer textgen.
        UnavailableError: if there is not enough memory for it.
    """
    file = path
    try:
        if path.is_dir():
            file = JobDirectory(path).model
        _regular_size(file.stat())
        with open(file, "rb", opener=_without_waiting) as opened:
            return _read(opened, _regular_size(os.fstat(opened.fileno())))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and file != path:
            raise MissingError(f"{path} contains no model yet; train one with textgen-train") from error
        raise from_os_error(error, f"cannot read {name or file}") from error
    except UnavailableError as error:
        raise UnavailableError(f"cannot load {name or file}: {error}") from error
    except LaterVersionError as error:
        raise FormatError(f"cannot use {name or file}: {error}") from error
    except FormatError as error:
        raise FormatError(f"cannot use {name or file}: {error}; {_ADVICE}") from error


def _regular_size(status: os.stat_result) -> int:
    """Returns the size of a file in bytes; refuses anything else, such as a pipe, which could block for ever."""
    if not stat.S_ISREG(status.st_mode):
        raise FormatError("it is not a regular file")
    return status.st_size


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file; if a pipe has taken its place meanwhile, does not wait for somebody to write to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(file: io.BufferedIOBase, size: int) -> ModelFile:
    """Reads a file of a size in bytes, header first."""
    header = _read_header(file, size)
    try:
        return _read_weights(file, header)
    except MemoryError as error:
        raise UnavailableError(
            f"it has {size:,} bytes, for which there is not enough memory; free some, or train a smaller model"
        ) from error


def _read_header(file: io.BufferedIOBase, size: int) -> _Header:
    """Reads and checks everything before the weights."""
    try:
        content = read_header(file, size)
        entries = parse_header(content)
        fields, weights, sha256 = from_metadata(entries.pop(METADATA))
        shapes = tensors_in_order(entries, fields["shape"].tensors, weights, size - len(content))
    except MemoryError as error:
        raise FormatError("it is damaged or no model file (its header asks for more memory than there is)") from error
    return _Header(content, sha256, fields, weights, shapes)


def _read_weights(file: io.BufferedIOBase, header: _Header) -> ModelFile:
    """Reads the weights after a header, and checks the hash of the bytes that are used.

    Raises:
        FormatError: if the hash is wrong or a weight is not a finite number.
        MemoryError: if the hash is right, and there is not enough memory for the weights.
    """
    hashed = hashlib.sha256(_without_hash(header))
    try:
        tensors = {name: np.empty(shape, _WEIGHTS[header.weights]) for name, shape in header.shapes.items()}
    except MemoryError:
        tensors = {}
    for name, tensor in tensors.items():
        if file.readinto(tensor.data) < tensor.nbytes:
            raise FormatError(f"it is damaged (it ends inside its tensor {name})")
        hashed.update(tensor.reshape(-1).data)
    while block := file.read(_BLOCK):  # nothing is left, unless there was no memory for the tensors
        hashed.update(block)
    if header.sha256 != hashed.hexdigest():
        raise FormatError("it is damaged (its content does not have the sha256 that is in it)")
    if not tensors:
        raise MemoryError
    _refuse_infinite(tensors)
    tensors = {name: tensor.astype("<f4", copy=False) for name, tensor in tensors.items()}
    return ModelFile(tensors=tensors, sha256=header.sha256, **header.fields)


def _without_hash(header: _Header) -> bytes:
    """Returns the header with zeros for the hash."""
    return header.content.replace(header.sha256.encode(), NO_HASH, 1)


def overflows(tensor: NDArray[np.floating]) -> bool:
    """Whether a weight is infinite or not a number, or so large that sums of weights could be."""
    return not max(float(tensor.max()), -float(tensor.min())) <= _LARGEST_WEIGHT  # NaN is not


def _refuse_infinite(tensors: Mapping[str, NDArray[np.floating]]) -> None:
    """Refuses weights that overflow."""
    for name, tensor in tensors.items():
        if overflows(tensor):
            raise FormatError(f"its tensor {name} holds numbers that are not finite, or beyond {_LARGEST_WEIGHT:g}")
