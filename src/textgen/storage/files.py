"""Reads and writes local files, whole or not at all; knows nothing of what is in them.

Every failure of the operating system leaves here as a `TextgenError` that names the path.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from textgen.errors import FormatError, from_os_error


def write_atomic(path: Path, data: bytes | str) -> None:
    """Writes a file at once, as `open_atomic` does.

    Args:
        path: the file; its directory is made when missing.
        data: its whole content; text is written as UTF-8.

    Raises:
        TextgenError: when the operating system refuses; the old file stays.
    """
    make_directory(path.parent)
    with open_atomic(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing so that a reader finds the old content or the new, whatever happens in between.

    The data goes to a temporary file in the same directory. When the block has ended well it is flushed to the disk
    (fsync) and renamed over the old file; then the directory is flushed, so that the rename outlives a power cut. No
    temporary file is left, on Ctrl-C neither; only a killed process leaves one.

    Args:
        path: the file; its directory is there.

    Yields:
        The temporary file.

    Raises:
        TextgenError: when the operating system refuses; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        flush_directory(path.parent)
    except OSError as error:
        raise from_os_error(error, f"cannot write {path}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Lets a library that wants a path write a file as `write_atomic` does.

    When the body ends, what it wrote is flushed and renamed over the old file; when it fails, the old file stays.

    Args:
        path: the file; its directory is made when missing.

    Yields:
        Where to write: a path of the same name, in a temporary directory beside the file.

    Raises:
        TextgenError: when the operating system refuses, in the body too.
    """
    make_directory(path.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent) as place:
            temporary = Path(place, path.name)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            flush_directory(path.parent)
    except OSError as error:
        raise from_os_error(error, f"cannot write {path}") from error


def flush_directory(directory: Path) -> None:
    """Flushes a directory's entries to the disk, where the system can (Windows cannot)."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Makes a directory and those above it.

    Raises:
        TextgenError: when the operating system refuses, or a file stands in the way.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"cannot make the directory {directory}") from error


def read_text(path: Path) -> str:
    """Reads a small UTF-8 file.

    Raises:
        TextgenError: when it is missing, may not be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"cannot read {path}: byte {error.start} is not UTF-8; is it the right file?") from error


def find(directory: Path, pattern: str) -> list[Path]:
    """The files of a directory whose names match a pattern, sorted.

    Args:
        directory: where to look; it need not be there.
        pattern: as `Path.glob` has it.

    Raises:
        TextgenError: when the operating system refuses.
    """
    try:
        return sorted(directory.glob(pattern))
    except OSError as error:
        raise from_os_error(error, f"cannot look into {directory}") from error


def remove_abandoned(directory: Path, pattern: str) -> None:
    """Removes what killed processes left half-written; for whoever knows that nobody writes there now.

    Args:
        directory: where the files are, or were to be; it need not be there.
        pattern: of the files' names, as `Path.glob` has it.

    Raises:
        TextgenError: when the operating system refuses.
    """
    for abandoned in find(directory, f".{pattern}.*.tmp"):
        remove(abandoned)


def remove(path: Path) -> None:
    """Removes a file if it is there.

    Raises:
        TextgenError: when the operating system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, f"cannot remove {path}") from error
