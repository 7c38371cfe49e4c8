"""An append-only text file that contains each entry once, however often its writer is killed.

Each checkpoint records the length of the file. A trainer that resumes from the checkpoint truncates the file to that
length, and then writes again what a killed trainer had written after the checkpoint.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgen.errors import from_os_error


class LogFile:
    """A log file and the entries that are not written yet.

    Args:
        path: the file; its directory must exist when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending = ""

    def add(self, entry: str) -> None:
        """Adds an entry for the next `write`."""
        self._pending += entry

    def write(self) -> None:
        """Writes the new entries, all or none, starting on a new line. If that fails, the next call tries again.

        Raises:
            TextgenError: if the file cannot be written.
        """
        if not self._pending:
            return
        rest = self._pending.encode()
        try:
            with self.path.open("a+b", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                if size:
                    file.seek(size - 1)
                    rest = rest if file.read(1) == b"\n" else b"\n" + rest
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(size)
                    raise
        except OSError as error:
            raise from_os_error(error, f"cannot write {self.path}") from error
        self._pending = ""

    def state(self) -> dict[str, Any]:
        """Returns the state to store in a checkpoint: the file's length and the entries not written yet, as JSON values.

        Raises:
            TextgenError: if the file cannot be read.
        """
        try:
            size = self.path.stat().st_size if self.path.exists() else 0
        except OSError as error:
            raise from_os_error(error, f"cannot read {self.path}") from error
        return {"bytes": size, "pending": self._pending}

    def restore(self, state: Mapping[str, Any], *, cut: bool) -> None:
        """Restores the state from a checkpoint.

        Args:
            state: the state; empty if there is no checkpoint.
            cut: whether to truncate the file to the checkpoint, because the trainer was killed later.

        Raises:
            TextgenError: if the file cannot be read or written.
        """
        self._pending = state.get("pending", "")
        size = state.get("bytes", 0)
        try:
            if cut and self.path.exists() and self.path.stat().st_size > size:
                os.truncate(self.path, size)
        except OSError as error:
            raise from_os_error(error, f"cannot write {self.path}") from error
