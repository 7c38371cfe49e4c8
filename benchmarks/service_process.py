"""Runs `textgen serve` as a process, and measures its CPU time and memory. It needs the files of Linux below /proc."""

import contextlib
import os
import re
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from http_load import Connection


@dataclass
class Rate:
    """What was written in some time.

    Attributes:
        characters: the characters.
        seconds: the time.
        cpu_seconds: the CPU time of the service, or of the engine.
        generator_seconds: the CPU time of the load generator.
    """

    characters: int
    seconds: float
    cpu_seconds: float
    generator_seconds: float = 0.0

    @property
    def corrected(self) -> float:
        """The characters per second of the time in which the load generator does not compute."""
        return self.characters / (self.seconds - self.generator_seconds)

    @property
    def of_cpu(self) -> float:
        """The characters per second of CPU time."""
        return self.characters / self.cpu_seconds

    def __str__(self) -> str:
        return (
            f"{self.corrected:,.0f} (measured {self.characters / self.seconds:,.0f}; of a core, it took {self.cpu_seconds / self.seconds:.0%}"
            f" and the generator {self.generator_seconds / self.seconds:.1%})"
        )


class Service:
    """A running `textgen serve`.

    Args:
        port: its port.
        process: its process id.
    """

    def __init__(self, port: int, process: int) -> None:
        self.port = port
        self._files = Path(f"/proc/{process}")

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that it has used."""
        fields = (self._files / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def megabytes(self) -> float:
        """Its memory."""
        return int((self._files / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def times(self) -> tuple[float, float, float]:
        """Returns the time, its CPU time and that of this process."""
        return time.perf_counter(), self.cpu_seconds, time.process_time()

    def rate(self, characters: int, began: tuple[float, float, float]) -> Rate:
        """Returns the rate since some `times`."""
        return Rate(characters, *(now - before for now, before in zip(self.times(), began, strict=True)))

    @contextlib.asynccontextmanager
    async def connections(self, count: int) -> AsyncIterator[list[Connection]]:
        """Opens connections, and closes them in the end."""
        opened = [await Connection.open(self.port) for _ in range(count)]
        try:
            yield opened
        finally:
            for connection in opened:
                connection.close()


@contextlib.contextmanager
def serving(path: Path) -> Iterator[Service]:
    """Runs `textgen serve`."""
    command = [str(Path(sysconfig.get_path("scripts")) / "textgen"), "serve", str(path), "--port", "0"]
    installed = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=installed) as process:
        try:
            assert process.stderr is not None  # noqa: S101 - for the type checker
            line = process.stderr.readline()
            if not (found := re.search(r" at http://[^ ]*:(\d+)", line)):
                raise SystemExit(f"textgen serve did not start: {line}")
            yield Service(int(found[1]), process.pid)
        finally:
            process.terminate()
