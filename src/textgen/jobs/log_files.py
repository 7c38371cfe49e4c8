"""The files of a job that grow with each evaluation: metrics.jsonl and samples.txt.

They contain each entry once, however often their writer is killed. Each checkpoint records their lengths. A trainer that resumes from the
checkpoint truncates them to these lengths, and then writes again what a killed trainer had written after the checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textgen.errors import FormatError, from_os_error
from textgen.storage import parse_object, read_text

_HEADING = re.compile(r"^--- (step (\d{1,15}), epoch [^\n]*)\n", re.MULTILINE)
"""The line before a sample, which `training.results` writes."""


class LoggedSample(NamedTuple):
    """A sample in samples.txt.

    Attributes:
        step: the step of the evaluation.
        heading: the step, the epoch and the scores, in words.
        text: what the model wrote.
    """

    step: int
    heading: str
    text: str


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


def as_json(values: Mapping[str, Any]) -> str:
    """Formats figures as one line of JSON. JSON has neither infinity nor NaN, so these become null."""
    known = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
    return json.dumps(known)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Reads metrics.jsonl.

    Args:
        path: the file; it need not exist.

    Returns:
        The evaluations, oldest first, without an unfinished last line.

    Raises:
        TextgenError: if the file cannot be read, or a line is damaged.
    """
    evaluations = []
    *lines, _ = read_text(path).split("\n") if path.exists() else [""]
    for number, line in enumerate(lines, start=1):
        values = parse_object(line)
        if values is None:
            raise FormatError(f"{path} is damaged in line {number}; remove that line")
        evaluations.append(values)
    return evaluations


def read_samples(path: Path) -> list[LoggedSample]:
    """Reads samples.txt.

    Args:
        path: the file; it need not exist.

    Returns:
        The samples, oldest first. One that itself contains a line like the heading of a sample becomes two.

    Raises:
        TextgenError: if the file cannot be read.
    """
    _, *fields = _HEADING.split(read_text(path)) if path.exists() else [""]
    return [
        LoggedSample(int(step), heading, text.strip("\n"))
        for heading, step, text in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]


def on_present_text(evaluations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the evaluations that can be compared with the last one: all, unless the validation text of the job has changed.

    Earlier versions of textgen did not record that text, so evaluations without it count too.

    Args:
        evaluations: those of the job, as `read_metrics` returns them.
    """
    text = evaluations[-1].get("valid_sha256") if evaluations else None
    return [values for values in evaluations if values.get("valid_sha256", text) == text]


def best_evaluation(evaluations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Returns the evaluation with the lowest validation loss on the present text; empty if there is none.

    Args:
        evaluations: those of the job, as `read_metrics` returns them.
    """
    scored = [values for values in on_present_text(evaluations) if finite_number(values, "valid_loss") is not None]
    return min(scored, key=lambda values: float(values["valid_loss"]), default={})


def finite_number(values: Mapping[str, Any], name: str) -> float | None:
    """Returns a number of a JSON object, or None if the value is something else."""
    try:
        value = float(values[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
