"""Reads and writes state.json, which shows the progress of a job without opening a checkpoint."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from textgen.errors import FormatError
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
                    raise TypeError(f"its {name} is {value!r}")
            if state.status not in get_args(Status):
                raise ValueError(f"its status is {state.status!r}")
        except (TypeError, ValueError, RecursionError) as error:  # a value may be nested too deeply to be shown
            raise FormatError(
                f"{path} is damaged: {error}; remove it, and training resumes from the checkpoint"
            ) from error
        return state
