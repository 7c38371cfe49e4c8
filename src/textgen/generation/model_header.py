"""Parses and checks the header of a safetensors file, which may be damaged or hostile.

The file is 8 bytes with the header's length, little-endian; the header, a JSON object with the type, shape and place of
each tensor; and the tensors. The safetensors library is not used to read it: its parser ends the whole process when
memory runs out, which a hostile header can cause. So everything here is checked in Python.
"""

from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING, Any

from textgen.errors import FormatError
from textgen.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 32_000_000
"""The longest header, with room for a vocabulary of two million words. The safetensors library allows 100 MB, but a hostile
header can make Python's parser fill 25 times its length."""

METADATA = "__metadata__"
"""The header's key for everything that is not a tensor."""

_LENGTH_BYTES = 8
_BYTES = {"F32": 4, "F16": 2}
"""The bytes of a number by its type."""
_MOST_DIGITS = 19
"""Enough for the size of any file; Python takes long to read a number of millions of digits, where it may at all."""


def read_header(file: io.BufferedIOBase, file_size: int) -> bytes:
    """Reads a file up to its tensors.

    Args:
        file: the file, at its start.
        file_size: its size in bytes.

    Returns:
        The header, after its length.

    Raises:
        FormatError: if the file does not start as a safetensors file does.
    """
    length = file.read(_LENGTH_BYTES)
    size = int.from_bytes(length, "little")
    if size > MOST_BYTES:
        raise FormatError(
            f"it is damaged or no model file (its header must take at most {MOST_BYTES:,} bytes, not {size:,})"
        )
    if _LENGTH_BYTES + size > file_size:
        raise FormatError("it is damaged or no model file (it ends inside its header)")
    return length + file.read(size)


def header_size(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> int:
    """Returns the number of bytes of the header with which the safetensors library writes float32 tensors.

    Args:
        shapes: the shape of each tensor by its name.
        metadata: what is written with them.
    """
    entries: dict[str, Any] = {METADATA: metadata}
    end = 0
    for name, shape in sorted(shapes.items()):
        begin, end = end, end + _BYTES["F32"] * math.prod(shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    size = len(json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode())
    return size + -size % _LENGTH_BYTES  # filled up with spaces, so that the tensors are aligned


def parse_header(header: bytes) -> dict[str, Any]:
    """Parses what `read_header` read.

    Returns:
        The entry of each tensor by its name, and the metadata.

    Raises:
        FormatError: if it is not a JSON object, or the metadata is not an object of texts.
    """
    try:
        text = header[_LENGTH_BYTES:].decode()
    except UnicodeDecodeError as error:
        raise FormatError("it is damaged or no model file (its header is not UTF-8)") from error
    entries = parse_object(text, "header")
    metadata = entries.setdefault(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FormatError("it is damaged or no model file (its metadata must hold texts)")
    return entries


def parse_object(text: Any, part: str) -> dict[str, Any]:
    """Parses a JSON object, more strictly than Python does.

    Args:
        text: the JSON; None, or anything else that is not text, is refused as well.
        part: what it is, for the error.

    Returns:
        The object. It has no NaN and no infinity, which JSON does not allow (RFC 8259, section 6), no repeated keys, and
        no whole number of more than 19 digits.

    Raises:
        FormatError: if it is no such object, or needs more memory or depth than is available.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_twins,
            parse_int=_parse_whole,
            parse_float=_parse_finite,
            parse_constant=_parse_finite,
        )
    except (TypeError, ValueError, RecursionError, MemoryError) as error:
        raise FormatError(f"it is damaged or no model file (its {part} is not sound JSON)") from error
    if not isinstance(value, dict):
        raise FormatError(f"it is damaged or no model file (its {part} is no JSON object)")
    return value


def tensors_in_order(
    entries: Mapping[str, Any], expected: Mapping[str, tuple[int, ...]], dtype: str, data_size: int
) -> dict[str, tuple[int, ...]]:
    """Checks that a file contains exactly the expected tensors, and nothing between or after them.

    Args:
        entries: the header's entry of each tensor.
        expected: the shape of each tensor by its name.
        dtype: the type of their numbers, F32 or F16.
        data_size: the number of bytes after the header.

    Returns:
        `expected` in the order of the tensors in the file.

    Raises:
        FormatError: if a tensor is missing, unknown, of another shape or type, or in the wrong place.
    """
    if missing := expected.keys() - entries.keys():
        raise FormatError(f"its tensor {min(missing)} is missing")
    if foreign := entries.keys() - expected.keys():
        raise FormatError(f"its tensor {shown(min(foreign))} has no place in a model of its shape")
    for name, shape in expected.items():
        _check_entry(name, entries[name], shape, dtype)
    end = 0
    ordered = dict(sorted(expected.items(), key=lambda item: entries[item[0]]["data_offsets"]))
    for name, shape in ordered.items():
        begin, end = end, end + _BYTES[dtype] * math.prod(shape)
        if entries[name]["data_offsets"] != [begin, end]:
            raise FormatError(f"it is damaged (its tensor {name} does not start where the one before it ends)")
    if end != data_size:
        raise FormatError(f"it is damaged (it must have {end} bytes of weights, and has {data_size})")
    return ordered


def _check_entry(name: str, entry: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Refuses a tensor's entry in the header that is not as expected; its place is not checked."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"its tensor {name} must have a dtype, a shape and data_offsets, not {shown(entry)}")
    if entry["dtype"] != dtype:
        raise FormatError(f"its tensor {name} must contain {dtype} numbers, not {shown(entry['dtype'])}")
    if not _are_whole(entry["shape"]) or tuple(entry["shape"]) != shape:
        raise FormatError(f"its tensor {name} must have shape {list(shape)}, not {shown(entry['shape'])}")
    if not _are_whole(entry["data_offsets"]):
        raise FormatError(f"its tensor {name} must be between two offsets, not {shown(entry['data_offsets'])}")


def _are_whole(numbers: Any) -> bool:
    """Whether these are whole numbers; in Python true and 1.0 would equal one."""
    return isinstance(numbers, list) and all(type(number) is int for number in numbers)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes a JSON object of its members; readers disagree about which of two with the same key counts."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is there twice")
    return members


def _parse_whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _parse_finite(text: str) -> float:
    """Parses a number with a point or an exponent; the words NaN and Infinity come here too, and are refused."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number
