"""The layout of a job directory: the path of each file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from textgen.errors import UsageError, from_os_error, named
from textgen.jobs.checkpoint import CheckpointStore
from textgen.storage import remove_abandoned

_HIDDEN = frozenset({".DS_Store"})
"""What a Mac leaves in a folder that somebody has opened."""
_MOST_LISTED = 3


@dataclass(frozen=True)
class JobDirectory:
    """The files of a job.

    Attributes:
        root: the directory.
        uri: the URI of the directory in a bucket that this one is a local copy of.
    """

    root: Path
    uri: str | None = None

    @classmethod
    def of_model(cls, path: Path) -> Self:
        """Returns the job directory of a model.

        Args:
            path: the directory, or the model file in it.
        """
        return cls(path if path.is_dir() else path.parent)

    @staticmethod
    def model_at(path: Path) -> Path:
        """Returns the model file that a path stands for: that of a job directory, or else the path itself."""
        return JobDirectory(path).model if path.is_dir() else path

    def __str__(self) -> str:
        """The place as the user names it."""
        return self.uri or str(self.root)

    @property
    def config(self) -> Path:
        """Every hyperparameter of the last run."""
        return self.root / "config.yaml"

    @property
    def vocabulary(self) -> Path:
        """The tokens in id order."""
        return self.root / "vocabulary.json"

    @property
    def state(self) -> Path:
        """Whether the job is running, and its totals so far."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """The file that is locked while a trainer uses the directory."""
        return self.root / "lock"

    @property
    def checkpoints(self) -> Path:
        """The complete training states."""
        return self.root / "checkpoints"

    @property
    def model(self) -> Path:
        """The model file: everything that sampling needs."""
        return self.root / "model.safetensors"

    @property
    def metrics(self) -> Path:
        """One line per evaluation."""
        return self.root / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """One sample per evaluation."""
        return self.root / "samples.txt"

    @property
    def logs(self) -> Path:
        """TensorBoard's files, unless the config names another directory."""
        return self.root / "logs"

    @property
    def report(self) -> Path:
        """The page that `textgen report` writes."""
        return self.root / "report.html"

    @property
    def fetched(self) -> Path:
        """The record of what `textgen vertex fetch` has downloaded."""
        return self.root / ".fetched.json"

    @property
    def small_files(self) -> tuple[Path, ...]:
        """The files that show the status of the job."""
        return (self.config, self.vocabulary, self.state, self.metrics)

    @property
    def exists(self) -> bool:
        """Whether a run has started here."""
        return self.config.exists()

    @property
    def is_empty(self) -> bool:
        """Whether the directory is missing, or contains at most the lock file.

        Raises:
            OSError: if it is not a directory, or may not be read.
        """
        return not self.root.exists() or all(path == self.lock for path in self.root.iterdir())

    def refuse_strangers(self, names: Iterable[str]) -> None:
        """Refuses to move a directory that also contains other things, because they would move too.

        Args:
            names: the names of the directory's entries.

        Raises:
            UsageError: if one of them is not part of a job.
        """
        strangers = sorted(name for name in names if not self._owns(name))
        if strangers:
            more = f" and {len(strangers) - _MOST_LISTED} more" if len(strangers) > _MOST_LISTED else ""
            raise UsageError(
                f"{named('fresh')} would rename all of {self}, including what is not part of a job: "
                f"{', '.join(map(repr, strangers[:_MOST_LISTED]))}{more}; move it elsewhere, or name another {named('job_dir')}"
            )

    def _owns(self, name: str) -> bool:
        """Whether a trainer, `textgen export`, `textgen report`, `textgen vertex` or the operating system puts something of this name here."""
        files = (*self.small_files, self.lock, self.checkpoints, self.samples, self.logs, self.report, self.fetched)
        exported = name == self.model.stem or name.startswith(f"{self.model.stem}.")
        half_written = name.startswith(".") and name.endswith(".tmp")
        return exported or half_written or name in _HIDDEN or self.root / name in files

    def remove_abandoned(self) -> None:
        """Removes the incomplete files of killed trainers; for the trainer that holds the lock.

        Raises:
            TextgenError: if the operating system refuses.
        """
        for path in (self.config, self.vocabulary, self.state, self.model):
            remove_abandoned(self.root, path.name)
        CheckpointStore(self.checkpoints).remove_abandoned()

    def move_aside(self) -> Path | None:
        """Renames the directory to the first free of `NAME.1`, `NAME.2` and so on.

        Returns:
            The new path, or None if there was nothing to move.

        Raises:
            UsageError: if the directory also contains other things, or the path has no name, as that of the current
                directory.
            TextgenError: if the operating system refuses.
        """
        if self.is_empty:
            return None
        self.refuse_strangers(path.name for path in self.root.iterdir())
        if not self.root.name:
            raise UsageError(
                f"cannot move {self.root} aside, it has no name here: run from another directory, or name another {named('job_dir')}"
            )
        number = 1
        while (aside := self.root.with_name(f"{self.root.name}.{number}")).exists() or aside.is_symlink():
            number += 1
        try:
            return self.root.rename(aside)
        except OSError as error:
            raise from_os_error(error, f"cannot move {self.root} aside") from error


def is_job_directory(names: Iterable[str]) -> bool:
    """Whether a directory is a job's, judged by the names of its entries.

    One name is not enough: a folder of texts may contain a config.yaml of its own. Two are, so that a job that lacks a file
    is still recognised.
    """
    return len(_NAMES_OF_A_JOB.intersection(names)) > 1


_LAYOUT = JobDirectory(Path())
_NAMES_OF_A_JOB = frozenset(path.name for path in (*_LAYOUT.small_files, _LAYOUT.model, _LAYOUT.checkpoints))
