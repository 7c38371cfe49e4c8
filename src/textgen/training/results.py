"""Collects the results of evaluations and writes them to the job directory: the model file, metrics and samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.generation import ModelFile, write_model
from textgen.jobs import JobDirectory, LogFile, as_json


class Results:
    """Keeps results in memory until they are written, so that a full disk loses none of them.

    Args:
        job: the job directory.
    """

    def __init__(self, job: JobDirectory) -> None:
        self._path = job.model
        self._model: ModelFile | None = None
        self._metrics = LogFile(job.metrics)
        self._samples = LogFile(job.samples)

    def add_model(self, model: ModelFile) -> None:
        """Adds a model file; it replaces one that is not written yet."""
        self._model = model

    def add_metrics(self, record: Mapping[str, Any]) -> None:
        """Adds a line to metrics.jsonl."""
        self._metrics.add(as_json(record) + "\n")

    def add_sample(self, heading: str, text: str) -> None:
        """Adds a text to samples.txt."""
        self._samples.add(f"--- {heading}\n{text}\n\n")

    def write(self) -> None:
        """Writes everything that is not written yet.

        Raises:
            TextgenError: if a write fails; the rest is kept for the next call.
        """
        self._metrics.write()
        self._samples.write()
        if self._model is not None:
            write_model(self._path, self._model)
            self._model = None

    def state(self) -> dict[str, Any]:
        """Returns the state to store in a checkpoint: the lengths of the logs, as JSON values.

        Raises:
            TextgenError: if a log cannot be read.
        """
        return {"metrics": self._metrics.state(), "samples": self._samples.state()}

    def restore(self, state: Mapping[str, Any], *, cut: bool) -> None:
        """Restores the state from a checkpoint.

        Args:
            state: the state; empty if there is no checkpoint.
            cut: whether to truncate the logs to the checkpoint, because the trainer was killed later.

        Raises:
            TextgenError: if a log cannot be read or written.
        """
        self._metrics.restore(state.get("metrics", {}), cut=cut)
        self._samples.restore(state.get("samples", {}), cut=cut)
