"""The status of jobs: reads and writes state.json, and lists jobs with their best score and size. Opens no checkpoint and no model."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from textgen.config.yaml_text import from_yaml
from textgen.errors import FormatError, MissingError, TextgenError, from_os_error
from textgen.formatting import one_line, shown
from textgen.jobs.directory import JobDirectory
from textgen.jobs.lock import is_locked
from textgen.jobs.log_files import best_evaluation, finite_number, read_metrics
from textgen.storage import parse_object, read_text, write_atomic

Status = Literal["running", "stopped", "finished"]
_KINDS = {
    "status": (str,),
    "steps": (int,),
    "epochs": (int,),
    "minutes": (int, float),
    "data_sha256": (str,),
    "stale": (int,),
}

_MOST = 1e15
"""Larger totals come only from a damaged file."""

_LATEST = 250_000_000_000.0
"""A time in the year 9892: some file systems contain later ones, which `datetime` cannot represent."""


@dataclass(frozen=True)
class JobState:
    """The totals of a job.

    Attributes:
        status: `running`, `stopped` before the job's limits, or `finished`.
        steps: the updates made.
        epochs: the completed passes over the training text.
        minutes: the training time, without evaluation.
        data_sha256: the hash of the text.
        stale: the number of evaluations since the best one.
    """

    status: Status
    steps: int = 0
    epochs: int = 0
    minutes: float = 0.0
    data_sha256: str = ""
    stale: int = 0

    def write(self, path: Path) -> None:
        """Writes the file atomically.

        Raises:
            TextgenError: if the operating system refuses.
        """
        write_atomic(path, json.dumps(dataclasses.asdict(self)) + "\n")

    @classmethod
    def find(cls, path: Path) -> JobState | None:
        """Reads the file, or returns None if there is none.

        Raises:
            TextgenError: as `read`.
        """
        return cls.read(path) if path.exists() else None

    @classmethod
    def read(cls, path: Path) -> JobState:
        """Reads the file.

        Raises:
            TextgenError: if it cannot be read or is damaged.
        """
        found = parse_object(read_text(path))
        try:
            if found is None:
                raise ValueError("it is no JSON object")
            state = cls(**found)
            for name, value in vars(state).items():
                if type(value) not in _KINDS[name]:
                    raise TypeError(f"its {name} is {shown(value)}")
                if not isinstance(value, str) and not 0 <= value < _MOST:
                    raise ValueError(f"its {name} is {shown(value)}")
            if state.status not in get_args(Status):
                raise ValueError(f"its status is {state.status!r}")
        except (TypeError, ValueError, RecursionError) as error:  # a value may be nested too deeply to be shown
            raise FormatError(
                f"{path} is damaged: {error}; remove it, and training resumes from the checkpoint"
            ) from error
        return state


@dataclass(frozen=True)
class JobFacts:
    """The status of a job.

    Attributes:
        job_dir: the job directory.
        state: `running` while a trainer holds the lock; otherwise `stopped`, `finished`, or `damaged` if one of its files
            is. A job in a bucket whose trainer was killed is `running` until it is resumed.
        steps: the updates made until the last checkpoint.
        epochs: the completed passes over the training text.
        minutes: the training time.
        valid_loss: the loss of the best evaluation, in nats per token; None before the first.
        valid_bits_per_character: the bits per character of the same evaluation.
        valid_unknown_share: the share of the validation text's tokens that are `[UNK]`.
        bytes: the size of all its files.
        changed: when one of its files last changed, in seconds since 1970. A new report does not count.
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

    def no_evaluation(self) -> MissingError:
        """Returns the error of a command that needs an evaluation, and the job has none yet."""
        return MissingError(
            f"{self.job_dir} has no evaluation yet: it is {self.state} at step {self.steps:,}; try again after the first evaluation"
        )


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


def job_facts(job: JobDirectory, evaluations: Sequence[Mapping[str, Any]] | None = None) -> JobFacts:
    """Reads the status of a job; the job is damaged if a file cannot be read.

    Args:
        job: the job.
        evaluations: its evaluations if they have been read already; None to read them.
    """
    size, changed = _measure(job)
    place: dict[str, Any] = {"job_dir": str(job), "bytes": size, "changed": changed}
    try:
        from_yaml(read_text(job.config), str(job.config))
        state = JobState.find(job.state) or JobState("stopped")
        best = best_evaluation(read_metrics(job.metrics) if evaluations is None else evaluations)
    except (TextgenError, OSError) as error:
        return JobFacts(**place, state="damaged", problem=one_line(error))
    at_rest: Literal["finished", "stopped"] = "finished" if state.status == "finished" else "stopped"
    is_running = is_locked(job) if job.uri is None else state.status == "running"
    return JobFacts(
        **place,
        state="running" if is_running else at_rest,
        steps=state.steps,
        epochs=state.epochs,
        minutes=state.minutes,
        valid_loss=finite_number(best, "valid_loss"),
        valid_bits_per_character=finite_number(best, "valid_bits_per_character"),
        valid_unknown_share=finite_number(best, "valid_unknown_share"),
    )


def _find(directory: Path) -> Iterator[JobDirectory]:
    for folder, folders, names in os.walk(directory):
        job = JobDirectory(Path(folder))
        if job.config.name in names:
            folders.clear()
            yield job
        folders[:] = [name for name in folders if not name.startswith(".")]


def _measure(job: JobDirectory) -> tuple[int, float]:
    """The size of all files, and when one last changed, except those that change when somebody looks at the job."""
    size, changed = 0, 0.0
    for folder, _, names in os.walk(job.root):
        for path in (Path(folder, name) for name in names):
            try:
                status = path.lstat()
            except OSError:  # for example because a trainer has removed it meanwhile
                continue
            size += status.st_size
            if path not in {job.lock, job.report}:
                changed = max(changed, min(status.st_mtime, _LATEST))
    return size, changed
