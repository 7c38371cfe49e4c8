"""Converts the metadata of a model file to text, and checks the text when it is read.

The text may be damaged or hostile. Its versions are described in `model_file`.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from textgen.corpus import FIRST_TOKEN_ID, LaterTokenizerError, Vocabulary, is_restricted
from textgen.errors import FormatError
from textgen.formatting import shown
from textgen.generation.model_header import parse_object
from textgen.planning import ModelShape
from textgen.planning.cells import CELLS
from textgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "textgen-lstm"
FORMAT_VERSIONS = {"F32": 2, "F16": 3}
"""The version of a file by the type of its weights, so that earlier versions of textgen can still read float32 files."""

NO_HASH = b"0" * 64
"""What is written in place of the file's hash until that is known."""

LONGEST_TEXT = 64
"""The most characters of a hash or version."""

LAST_STEP = 2**63 - 1
"""The largest number of a step."""

MOST_LAYERS = 1000
"""The most layers of a model."""

LARGEST_SIZE = 2**31 - 1
"""The largest size of anything else in a model."""

_SIZES = {
    "layers": MOST_LAYERS,
    "lstm_state_size": LARGEST_SIZE,
    "embedding_size": LARGEST_SIZE,
    "num_proj": LARGEST_SIZE,
    "vocab_size": LARGEST_SIZE,
}
"""The fields of the shape that contain a number, with the largest one."""
_NEVER_LEFT_OUT = ("layers", "lstm_state_size")
_SWITCHES = ("layer_norm", "lowercase", "use_fp16")
_NAMES = ("cell", "language_model")
LONGEST_SETTINGS = {"language_model": "char", "lowercase": False, "use_fp16": False, "vocab_size": LARGEST_SIZE}
"""The fields of the shape that do not shape the network, with the values that take the most space."""

_KEY = "textgen"
_HASH = re.compile("[0-9a-f]{64}")
_NO_MODEL = "it is a safetensors file, but no textgen model"


class LaterVersionError(Exception):
    """The file has a version that only a later textgen reads."""


def to_metadata(fields: Mapping[str, Any], weights: str = "F32") -> dict[str, str]:
    """Makes the metadata of a file.

    Args:
        fields: `shape`, `settings`, `vocabulary`, `scores`, `data_sha256`, `step`, `textgen_version`, `after_white_space`,
            `unwrapped` and `started_from`, as in `ModelFile`. The last three are left out where they are None or False.
        weights: the type of the weights, a key of `FORMAT_VERSIONS`.

    Returns:
        The only entry of the metadata, with `NO_HASH` for the hash; it is the first such text in the entry.

    Raises:
        ValueError: if a number is not finite; a score that is not is left out.
    """
    others = {name: value for name, value in fields.items() if name != "settings"}
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSIONS[weights],
        "sha256": NO_HASH.decode(),
        **others,
        "shape": dict(sorted({**fields["settings"], **fields["shape"].settings}.items())),
        "vocabulary": fields["vocabulary"].to_json(),
        "scores": {name: score for name, score in sorted(fields["scores"].items()) if math.isfinite(score)},
    }
    known = {name: value for name, value in content.items() if value is not None and value is not False}
    return {_KEY: json.dumps(known, ensure_ascii=False, allow_nan=False, separators=(",", ":"))}


def from_metadata(metadata: Mapping[str, str]) -> tuple[dict[str, Any], str, str]:
    """Reads and checks the metadata of a file.

    Args:
        metadata: all its entries.

    Returns:
        The fields that `to_metadata` takes, the type that the weights must have, and the hash that the file must have.

    Raises:
        LaterVersionError: if only a later textgen reads it; a later format is not checked any further.
        FormatError: if no textgen could have written it.
    """
    if _KEY not in metadata:
        raise FormatError(_NO_MODEL)
    content = parse_object(metadata[_KEY], "metadata")
    weights = _check_version(content.get("format"), content.get("format_version"))
    sha256 = content.get("sha256")
    if not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
        raise FormatError(f"its sha256 must be 64 digits of hex, not {shown(sha256)}")
    return _check_fields(content), weights, sha256


def _check_version(found: Any, version: Any) -> str:
    """Returns the type of the weights of a version; refuses another format, and a version of another layout."""
    if found != FORMAT or type(version) is not int:
        raise FormatError(_NO_MODEL)
    latest = max(FORMAT_VERSIONS.values())
    if version > latest:
        raise LaterVersionError(
            f"it has format version {version}, and textgen {__version__} reads up to version {latest}; upgrade textgen"
        )
    types = {number: weights for weights, number in FORMAT_VERSIONS.items()}
    if version not in types:
        raise FormatError(_NO_MODEL)
    return types[version]


def _check_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Checks all fields, and returns them; ignores unknown ones, except in the shape."""
    for name in ("shape", "vocabulary", "scores"):
        if not isinstance(content.get(name), dict):
            raise FormatError(f"its {name} must be a JSON object, not {shown(content.get(name))}")
    step = content.get("step")
    if type(step) is not int or not 0 <= step <= LAST_STEP:
        raise FormatError(f"its step must be a whole number from 0 to {LAST_STEP}, not {shown(step)}")
    for name in ("data_sha256", "textgen_version"):
        _check_text(name, content.get(name))
    for name, score in content["scores"].items():
        _check_text("name of a score", name)
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise FormatError(f"its score {name} must be a number, not {shown(score)}")
    if "started_from" in content:
        _check_text("started_from", content["started_from"])
    vocabulary = _read_vocabulary(content["vocabulary"])
    if "after_white_space" in content:
        _check_after_white_space(content["after_white_space"], vocabulary)
    unwrapped = content.get("unwrapped", False)
    if not isinstance(unwrapped, bool):
        raise FormatError(f"its unwrapped must be true or false, not {shown(unwrapped)}")
    shape = content["shape"]
    _check_shape(shape)
    return {
        "shape": ModelShape.of(shape, vocabulary.size),
        "settings": {name: shape[name] for name in LONGEST_SETTINGS if name in shape},
        "vocabulary": vocabulary,
        "scores": content["scores"],
        "data_sha256": content["data_sha256"],
        "step": step,
        "textgen_version": content["textgen_version"],
        "after_white_space": content.get("after_white_space"),
        "unwrapped": unwrapped,
        "started_from": content.get("started_from"),
    }


def _check_shape(fields: Mapping[str, Any]) -> None:
    """Checks the shape's fields, which JSON has given types. A missing field has its default.

    Raises:
        LaterVersionError: if only a later textgen has such a field or such a cell.
        FormatError: if a field is missing, of another type or out of range.
    """
    if unknown := fields.keys() - {*_SIZES, *_SWITCHES, *_NAMES}:
        raise _made_by_newer(f"its shape has the field {shown(min(unknown))}")
    for name in _NEVER_LEFT_OUT:
        if name not in fields:
            raise FormatError(f"its shape has no {name}")
    for name, value in fields.items():
        if name in _SIZES:
            is_number = type(value) is int and 1 <= value <= _SIZES[name]
            if not is_number and (value is not None or name in _NEVER_LEFT_OUT):
                raise FormatError(f"its {name} must be a whole number from 1 to {_SIZES[name]:,}, not {shown(value)}")
        elif name in _SWITCHES:
            if not isinstance(value, bool):
                raise FormatError(f"its {name} must be true or false, not {shown(value)}")
        else:
            _check_text(name, value)
    shape = ModelShape.of(fields, vocabulary_size=1)
    if shape.kind not in CELLS or "-" in shape.cell:  # which only kinds contain
        raise _made_by_newer(f"its cell is {shown(shape.kind)}")


def _made_by_newer(what: str) -> LaterVersionError:
    return LaterVersionError(f"{what}, so it was made by a newer textgen than {__version__}; upgrade textgen")


def _check_text(name: str, text: Any) -> None:
    """Refuses what cannot be shown on a line, such as a lone surrogate or NUL."""
    if not isinstance(text, str) or not text.isprintable() or len(text) > LONGEST_TEXT:
        raise FormatError(f"its {name} must be at most {LONGEST_TEXT} printable characters, not {shown(text)}")


def _read_vocabulary(content: Mapping[str, Any]) -> Vocabulary:
    """Reads a vocabulary, and checks that texts can be written with it."""
    try:
        vocabulary = Vocabulary.from_json(content)
        text = "".join(vocabulary.tokens)
        text.encode()
    except LaterTokenizerError as error:
        raise LaterVersionError(str(error)) from error
    except (FormatError, UnicodeEncodeError) as error:  # the first may quote a token, and that may be long
        raise FormatError("its vocabulary is damaged") from error
    if "\0" in text:
        raise FormatError("its vocabulary has a token with NUL in it, which no text has")
    if vocabulary.size <= FIRST_TOKEN_ID:
        raise FormatError("its vocabulary holds no token that could be written")
    return vocabulary


def _check_after_white_space(content: Any, vocabulary: Vocabulary) -> None:
    """Refuses what is not lists of tokens, each under a token of white space and all of them in the vocabulary."""
    restricted = frozenset(filter(is_restricted, vocabulary.tokens))
    if not isinstance(content, dict):
        raise FormatError(f"its after_white_space must be a JSON object, not {shown(content)}")
    for token, followers in content.items():
        if token not in restricted or not token.isspace():
            raise FormatError(f"its after_white_space must name white space of its vocabulary, not {shown(token)}")
        if not isinstance(followers, list) or not all(
            isinstance(each, str) and each in restricted for each in followers
        ):
            raise FormatError(
                f"its after_white_space must list white space and punctuation of its vocabulary, not {shown(followers)}"
            )
        if len(set(followers)) < len(followers):
            raise FormatError(f"its after_white_space lists a token twice for {shown(token)}")
