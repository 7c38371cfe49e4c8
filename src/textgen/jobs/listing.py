"""Finds jobs, and reads the state, best score and size of each; opens no checkpoint and no model."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from textgen.config.yaml_text import from_yaml
from textgen.errors import FormatError, TextgenError, from_os_error
from textgen.formatting import one_line
from textgen.jobs.directory import JobDirectory
from textgen.jobs.lock import is_locked
from textgen.jobs.state import JobState
from textgen.storage import parse_object, read_text

_LATEST = 250_000_000_000.0
"""A time in the year 9892: some file systems contain later ones, which `datetime` cannot represent."""


@dataclass(frozen=True)
class JobFacts:
    """The status of a job.

    Attributes:
        job_dir: the job directory.
        state: `running` while a trainer holds the lock; otherwise `stopped`, `finished`, or `damaged` if one of its files
            is.
        steps: the updates made until the last checkpoint.
        epochs: the completed passes over the training text.
        minutes: the training time.
        valid_loss: the loss of the best evaluation, in nats per token; None before the first.
        valid_bits_per_character: the bits per character of the same evaluation.
        valid_unknown_share: the share of the validation text's tokens that are `[UNK]`.
        bytes: the size of all its files.
        changed: when one of its files last changed, in seconds since 1970.
        problem: what is damaged, on one line.
    """

    job_dir: str
    state: Literal["running", "stopped", "finished", "damaged"]
    steps: int = 0
    epochs: int = 0
    minutes: float = 0.0
    valid_loss: float | None = None
    valid_bits_per_character: float | None = None
    valid_unknown_share: float | None = None
    bytes: int = 0
    changed: float = 0.0
    problem: str | None = None


def list_jobs(directory: Path) -> list[JobFacts]:
    """Lists the jobs in and below a directory, the most recently changed first.

    Hidden directories are skipped, links are not followed, and no directory inside a job is a job.

    Args:
        directory: the directory.

    Raises:
        TextgenError: if it cannot be read; directories below it that cannot be read are skipped.
    """
    try:
        os.scandir(directory).close()
    except OSError as error:
        raise from_os_error(error, f"cannot look for jobs in {directory}") from error
    facts = [job_facts(job) for job in _find(directory)]
    return sorted(facts, key=lambda job: (-job.changed, job.job_dir))


def job_facts(job: JobDirectory) -> JobFacts:
    """Reads the status of a job; the job is damaged if a file cannot be read."""
    size, changed = _measure(job)
    place: dict[str, Any] = {"job_dir": str(job.root), "bytes": size, "changed": changed}
    try:
        from_yaml(read_text(job.config), str(job.config))
        state = JobState.find(job.state) or JobState("stopped")
        best = _best_evaluation(job)
    except (TextgenError, OSError) as error:
        return JobFacts(**place, state="damaged", problem=one_line(error))
    at_rest: Literal["finished", "stopped"] = "finished" if state.status == "finished" else "stopped"
    return JobFacts(
        **place,
        state="running" if is_locked(job) else at_rest,
        steps=state.steps,
        epochs=state.epochs,
        minutes=state.minutes,
        valid_loss=_number(best, "valid_loss"),
        valid_bits_per_character=_number(best, "valid_bits_per_character"),
        valid_unknown_share=_number(best, "valid_unknown_share"),
    )


def _find(directory: Path) -> Iterator[JobDirectory]:
    for folder, folders, names in os.walk(directory):
        job = JobDirectory(Path(folder))
        if job.config.name in names:
            folders.clear()
            yield job
        folders[:] = [name for name in folders if not name.startswith(".")]


def _measure(job: JobDirectory) -> tuple[int, float]:
    """The size of all files, and when one last changed, except the lock, which reading the status can change."""
    size, changed = 0, 0.0
    for folder, _, names in os.walk(job.root):
        for path in (Path(folder, name) for name in names):
            try:
                status = path.lstat()
            except OSError:  # for example because a trainer has removed it meanwhile
                continue
            size += status.st_size
            if path != job.lock:
                changed = max(changed, min(status.st_mtime, _LATEST))
    return size, changed


def _best_evaluation(job: JobDirectory) -> dict[str, Any]:
    """The line of metrics.jsonl with the lowest validation loss; empty if there is none.

    Raises:
        TextgenError: if the file cannot be read, or a line is damaged, except an unfinished last line.
    """
    if not job.metrics.exists():
        return {}
    best, least = {}, math.inf
    for number, line in enumerate(read_text(job.metrics).splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            break
        values = parse_object(line)
        if values is None:
            raise FormatError(f"{job.metrics} is damaged in line {number}; remove that line")
        loss = _number(values, "valid_loss")
        if loss is not None and loss < least:
            best, least = values, loss
    return best


def _number(values: dict[str, Any], name: str) -> float | None:
    """A finite number of a JSON object, or None if the value is something else."""
    try:
        value = float(values[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
