"""Reads and writes state.json: how far a job is, without opening a checkpoint."""

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
        status: `running`, `stopped` before its end, or `finished`.
        steps: updates made.
        epochs: whole passes over the training text.
        minutes: of training, without evaluation.
        data_sha256: identifies the text.
        stale: evaluations since the best one.
    """

    status: Status
    steps: int = 0
    epochs: int = 0
    minutes: float = 0.0
    data_sha256: str = ""
    stale: int = 0

    def write(self, path: Path) -> None:
        """Writes it atomically.

        Raises:
            TextgenError: when the operating system refuses.
        """
        write_atomic(path, json.dumps(dataclasses.asdict(self)) + "\n")

    @classmethod
    def find(cls, path: Path) -> JobState | None:
        """Reads what `write` wrote; None when there is no file.

        Raises:
            TextgenError: as `read`.
        """
        return cls.read(path) if path.exists() else None

    @classmethod
    def read(cls, path: Path) -> JobState:
        """Reads what `write` wrote.

        Raises:
            TextgenError: when it cannot be read or is damaged.
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
