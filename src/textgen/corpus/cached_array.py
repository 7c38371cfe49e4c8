"""Keeps an array in a file of the cache, followed by its sha256, so that a damaged file is noticed and replaced."""

from __future__ import annotations

import errno
import hashlib
import threading
import weakref
from typing import TYPE_CHECKING

import numpy as np

from textgen.errors import from_os_error
from textgen.storage import open_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import DTypeLike

_HASH_BYTES = hashlib.sha256().digest_size
_BLOCK = 1 << 20


class StoredArray:
    """An array in a file, of which each slice is read when it is needed.

    Unlike the pages of a mapped file, what was read takes no memory afterwards, even if all of a long array is read.

    Args:
        path: the file. It may have more content after the array.
        dtype: the type of the array.
        length: the length of the array.

    Attributes:
        dtype: the type of the array.

    Raises:
        OSError: if the file cannot be opened.
    """

    def __init__(self, path: Path, dtype: np.dtype, length: int) -> None:
        self.dtype = dtype
        self._length = length
        self._file = path.open("rb", buffering=0)  # stays open, because another process may remove it from the cache
        self._reading = threading.Lock()
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        """The length of the array."""
        return self._length

    def __getitem__(self, positions: slice) -> np.ndarray:
        """Reads the values at some positions.

        Args:
            positions: a slice without a step.

        Raises:
            OSError: if the file cannot be read, or has become shorter.
        """
        first, last, _ = positions.indices(self._length)
        values = np.empty(max(0, last - first), self.dtype)
        with self._reading:
            self._file.seek(first * self.dtype.itemsize)
            left = values.view(np.uint8).data
            while left:  # one call of the operating system reads at most two gigabytes
                count = self._file.readinto(left)
                if not count:
                    raise OSError(errno.EIO, "the file has become shorter", self._file.name)
                left = left[count:]
        return values


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
        _make_if_needed(path, kind, make)
        content = np.asarray(np.memmap(path, kind, "r"))
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    return content[: _length(path, kind)]


def stored_array(path: Path, dtype: DTypeLike, make: Callable[[], Iterable[np.ndarray]]) -> StoredArray:
    """As `cached_array`, for an array that is read in slices instead of mapped."""
    kind = np.dtype(dtype)
    try:
        _make_if_needed(path, kind, make)
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    return open_array(path, kind)


def open_array(path: Path, dtype: DTypeLike) -> StoredArray:
    """Opens an array of the cache that is known to be whole.

    Args:
        path: the file.
        dtype: the type of the array.

    Raises:
        TextgenError: if the file cannot be read.
    """
    kind = np.dtype(dtype)
    try:
        return StoredArray(path, kind, _length(path, kind))
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error


def _make_if_needed(path: Path, dtype: np.dtype, make: Callable[[], Iterable[np.ndarray]]) -> None:
    if not path.exists() or not _is_whole(path, dtype):
        _write(path, dtype, make())


def _is_whole(path: Path, dtype: np.dtype) -> bool:
    """Returns whether a file is an array followed by its hash."""
    size = path.stat().st_size
    if size < _HASH_BYTES or size % dtype.itemsize:
        return False
    digest, left = hashlib.sha256(), size - _HASH_BYTES
    with path.open("rb") as file:
        while block := file.read(min(left, _BLOCK)):
            digest.update(block)
            left -= len(block)
        return file.read() == digest.digest()


def _length(path: Path, dtype: np.dtype) -> int:
    """Returns the length of the array in a file, which is followed by its hash."""
    return (path.stat().st_size - _HASH_BYTES) // dtype.itemsize


def _write(path: Path, dtype: np.dtype, parts: Iterable[np.ndarray]) -> None:
    digest = hashlib.sha256()
    with open_atomic(path) as file:
        for part in parts:
            data = np.ascontiguousarray(part, dtype).data
            digest.update(data)
            file.write(data)
        file.write(digest.digest())
