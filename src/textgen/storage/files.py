"""Reads local files, and replaces them atomically.

An error of the operating system becomes a `TextgenError` that names the path.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from textgen.errors import FormatError, from_os_error

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]+\.tmp")
"""The name of a temporary file of `open_atomic`; a random number distinguishes those of two writers."""

_ABANDONED_SECONDS = 24 * 60 * 60
"""A temporary file that nobody has written to for this long was left by a killed process."""


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replaces a file atomically, as `open_atomic` does.

    Args:
        path: the file; its directory is created if missing.
        data: the whole content; text is written as UTF-8.

    Raises:
        TextgenError: if the operating system refuses; the old file stays.
    """
    make_directory(path.parent)
    with open_atomic(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing so that a reader always finds either the old content or the new.

    The data goes to a temporary file in the same directory, which no other thread or process uses. If the body ends
    without an error, that file is flushed to the disk (fsync) and renamed over the old one; then the directory is flushed,
    so that the rename survives a power cut. Only a killed process leaves the temporary file behind.

    Args:
        path: the file; its directory must exist.

    Yields:
        The temporary file.

    Raises:
        TextgenError: if the operating system refuses; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
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
    """Replaces a file atomically, for a library that writes to a path.

    When the body ends, the file it wrote is flushed and renamed over the old one; if it fails, the old file stays.

    Args:
        path: the file; its directory is created if missing.

    Yields:
        The path to write to, which has the same name and is in a temporary directory next to the file.

    Raises:
        TextgenError: if the operating system refuses, also in the body.
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
    """Flushes a directory's entries to the disk, except on Windows, which cannot do so."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Creates a directory and its missing parents.

    Raises:
        TextgenError: if the operating system refuses, or a file is in the way.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"cannot make the directory {directory}") from error


def read_text(path: Path) -> str:
    """Reads a small UTF-8 file.

    Raises:
        TextgenError: if it is missing, may not be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    except UnicodeDecodeError as error:
        raise FormatError(
            f"cannot read {path}: byte {error.start} is not UTF-8; save the file as UTF-8, or check its name"
        ) from error


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """Parses a text that should be a JSON object.

    Args:
        text: the content of a file, which may come from anywhere.

    Returns:
        The object, or None if the text is something else, or is nested too deeply for Python.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def find(directory: Path, pattern: str) -> list[Path]:
    """Returns the files of a directory whose names match a pattern, sorted.

    Args:
        directory: the directory; it need not exist.
        pattern: the pattern, as for `Path.glob`.

    Raises:
        TextgenError: if the operating system refuses.
    """
    try:
        return sorted(directory.glob(pattern))
    except OSError as error:
        raise from_os_error(error, f"cannot look into {directory}") from error


def remove_abandoned(directory: Path, pattern: str) -> None:
    """Removes the temporary files that killed processes left. The caller must know that no other process writes there.

    Args:
        directory: the directory; it need not exist.
        pattern: the pattern of the files' names, as for `Path.glob`.

    Raises:
        TextgenError: if the operating system refuses.
    """
    for abandoned in find(directory, f".{pattern}.*.tmp"):
        remove(abandoned)


def remove_old_temporaries(directory: Path) -> None:
    """Removes the temporary files in and below a directory that nobody has written to for a day.

    Newer ones may belong to a process that is still writing. A file that cannot be removed stays.
    """
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            # Another process may remove it first, and Windows refuses to remove an open file.
            with contextlib.suppress(OSError):
                if is_temporary(path) and time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()


def is_temporary(path: Path) -> bool:
    """Whether a file is a temporary file of `open_atomic`, perhaps another process's."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove(path: Path) -> None:
    """Removes a file if it exists.

    Raises:
        TextgenError: if the operating system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, f"cannot remove {path}") from error
