"""Keeps an array in a file of the cache, followed by its sha256, so that a damaged file is noticed and replaced."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from textgen.errors import from_os_error
from textgen.storage import open_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

_HASH_BYTES = hashlib.sha256().digest_size


def cached_array(path: Path, dtype: DTypeLike, make: Callable[[], Iterable[NDArray]]) -> NDArray:
    """Opens an array of the cache; makes and writes it first if there is none, or a damaged one.

    Args:
        path: the file; its directory exists.
        dtype: the type of the array.
        make: called only if the array is needed; returns its parts, one after the other.

    Returns:
        The array, one-dimensional, mapped from the disk and read-only.

    Raises:
        TextgenError: if the file cannot be read or written, and whatever `make` raises; then no file is written.
    """
    try:
        if path.exists() and (found := _map(path, np.dtype(dtype))) is not None:
            array, digest = found
            if hashlib.sha256(array.data).digest() == digest:
                return array
        _write(path, np.dtype(dtype), make())
        written = _map(path, np.dtype(dtype))
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    assert written is not None, "what was just written has a hash"
    return written[0]


def _map(path: Path, dtype: np.dtype) -> tuple[NDArray, bytes] | None:
    """Returns the array in a file and the hash after it; None if the file's size is impossible."""
    size = path.stat().st_size
    if size < _HASH_BYTES or size % dtype.itemsize:
        return None
    content = np.asarray(np.memmap(path, dtype, "r"))
    length = (size - _HASH_BYTES) // dtype.itemsize
    return content[:length], content[length:].tobytes()


def _write(path: Path, dtype: np.dtype, parts: Iterable[NDArray]) -> None:
    digest = hashlib.sha256()
    with open_atomic(path) as file:
        for part in parts:
            data = np.ascontiguousarray(part, dtype).data
            digest.update(data)
            file.write(data)
        file.write(digest.digest())
