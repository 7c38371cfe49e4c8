"""Runs `textgen-train` in a process of its own, waits for its progress, and sends signals to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from textgen.jobs import JobDirectory

COMMAND = (sys.executable, str(Path(sysconfig.get_path("scripts"), "textgen-train")))

HANG_SECONDS = 600.0
"""Nothing here takes so long, even on a busy machine."""

_PAUSE = 0.005


class Trainer:
    """A running `textgen-train`; a context manager that ends the process.

    Args:
        job: the job directory.
        arguments: its other arguments.
        environment: the variables to add to the environment.

    Attributes:
        job: the job directory.
    """

    def __init__(self, job: JobDirectory, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.job = job
        self._checkpoints_before = self._checkpoints()
        self._began = time.monotonic()
        self._written = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process; a pipe could fill up
        self._process = subprocess.Popen(
            [*COMMAND, *arguments, "--job_dir", str(job.root)],
            stdout=self._written,
            stderr=self._written,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._written.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """The time since it was started."""
        return time.monotonic() - self._began

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, by itself or by a signal."""
        return self._process.poll() is not None

    @property
    def has_saved(self) -> bool:
        """Whether this process has written a checkpoint file. At its start it may remove some that killed processes left."""
        return not self._checkpoints() <= self._checkpoints_before

    @property
    def is_saving(self) -> bool:
        """Whether a checkpoint is half-written now."""
        return any(name.endswith(".tmp") for name, _ in self._checkpoints())

    @property
    def has_lock(self) -> bool:
        """Whether the lock file names this process."""
        return self.job.lock.exists() and f"process {self.pid} on " in self.job.lock.read_text(encoding="utf-8")

    @property
    def output(self) -> str:
        """Everything that it has written so far."""
        # Not with seek and read, because the process writes at the same position.
        size = os.fstat(self._written.fileno()).st_size
        return os.pread(self._written.fileno(), size, 0).decode(errors="replace")

    @property
    def last_line(self) -> str:
        """The last line that it has written, which describes an error."""
        return self.output.strip().rpartition("\n")[2]

    def wait_until(self, condition: Callable[[], bool], pause: float = _PAUSE) -> None:
        """Waits until a condition holds or the process has ended.

        Raises:
            TimeoutError: if neither happens.
        """
        while not self.has_ended and not condition():
            if self.seconds > HANG_SECONDS:
                raise TimeoutError(f"it hangs: {self.last_line}")
            time.sleep(pause)

    def wait_for(self, seconds: float) -> None:
        """Waits for some time, or until the process has ended."""
        until = self.seconds + seconds
        self.wait_until(lambda: self.seconds >= until)

    def end(self, number: signal.Signals | None = None) -> int:
        """Sends a signal, if one is given, and waits for the end.

        Returns:
            The exit code; if a signal killed the process, minus its number.

        Raises:
            TimeoutError: if the process does not end.
        """
        if number is not None:
            self._process.send_signal(number)
        try:
            return self._process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"it does not end: {self.last_line}") from error

    def _checkpoints(self) -> set[tuple[str, int]]:
        """The name and time of every checkpoint file, without those that are removed meanwhile."""
        found = set()
        for path in self.job.checkpoints.glob("*"):
            try:
                found.add((path.name, path.stat().st_mtime_ns))
            except FileNotFoundError:
                continue
        return found
