"""A text file that only grows, in which each entry stands once however often its writer is killed.

What a killed trainer wrote after its last checkpoint is written again by the next one, which goes on from there. So each
checkpoint keeps how long the file was, and what goes on from it cuts the file there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgen.errors import from_os_error


class LogFile:
    """A file and the entries that it is still to get.

    Args:
        path: the file; its directory is there when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending = ""

    def add(self, entry: str) -> None:
        """Takes an entry, for the next `write`."""
        self._pending += entry

    def write(self) -> None:
        """Puts the entries on the disk, all or none; what fails is kept for the next time.

        They begin on a line of their own, whoever cut the last one.

        Raises:
            TextgenError: when the operating system refuses.
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

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON values.

        Raises:
            TextgenError: when the operating system refuses.
        """
        try:
            size = self.path.stat().st_size if self.path.exists() else 0
        except OSError as error:
            raise from_os_error(error, f"cannot read {self.path}") from error
        return {"bytes": size, "pending": self._pending}

    def take_over(self, kept: Mapping[str, Any], *, cut: bool) -> None:
        """Goes on from what a checkpoint kept.

        Args:
            kept: that; empty where there is no checkpoint.
            cut: whether what the file holds beyond it is of a killed trainer, and goes.

        Raises:
            TextgenError: when the operating system refuses.
        """
        self._pending = kept.get("pending", "")
        size = kept.get("bytes", 0)
        try:
            if cut and self.path.exists() and self.path.stat().st_size > size:
                os.truncate(self.path, size)
        except OSError as error:
            raise from_os_error(error, f"cannot write {self.path}") from error
