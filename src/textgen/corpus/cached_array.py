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

    from numpy.typing import DTypeLike

_HASH_BYTES = hashlib.sha256().digest_size


def cached_array(path: Path, dtype: DTypeLike, make: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
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
    kind = np.dtype(dtype)
    try:
        if not path.exists() or not _is_whole(path, kind):
            _write(path, kind, make())
        return _map(path, kind)[0]
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error


def open_array(path: Path, dtype: DTypeLike) -> np.ndarray:
    """Opens an array of the cache that is known to be whole.

    Args:
        path: the file.
        dtype: the type of the array.

    Raises:
        TextgenError: if the file cannot be read.
    """
    try:
        return _map(path, np.dtype(dtype))[0]
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error


def _is_whole(path: Path, dtype: np.dtype) -> bool:
    """Returns whether a file is an array followed by its hash."""
    size = path.stat().st_size
    if size < _HASH_BYTES or size % dtype.itemsize:
        return False
    array, digest = _map(path, dtype)
    return hashlib.sha256(array.data).digest() == digest


def _map(path: Path, dtype: np.dtype) -> tuple[np.ndarray, bytes]:
    """Returns the array in a file, and the hash after it."""
    content = np.asarray(np.memmap(path, dtype, "r"))
    length = len(content) - _HASH_BYTES // dtype.itemsize
    return content[:length], content[length:].tobytes()


def _write(path: Path, dtype: np.dtype, parts: Iterable[np.ndarray]) -> None:
    digest = hashlib.sha256()
    with open_atomic(path) as file:
        for part in parts:
            data = np.ascontiguousarray(part, dtype).data
            digest.update(data)
            file.write(data)
        file.write(digest.digest())
