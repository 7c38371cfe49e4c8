"""What evaluations leave in a job directory: the model file, metrics, samples; each is kept until it is on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.generation import ModelFile, write_model
from textgen.jobs import JobDirectory, LogFile, as_json


class Results:
    """Collects what is to be written, so that a full disk loses none of it.

    Args:
        job: where it goes.
    """

    def __init__(self, job: JobDirectory) -> None:
        self._path = job.model
        self._model: ModelFile | None = None
        self._metrics = LogFile(job.metrics)
        self._samples = LogFile(job.samples)

    def add_model(self, model: ModelFile) -> None:
        """Takes a model, in place of the one before."""
        self._model = model

    def add_metrics(self, record: Mapping[str, Any]) -> None:
        """Takes a line of metrics.jsonl."""
        self._metrics.add(as_json(record) + "\n")

    def add_sample(self, heading: str, text: str) -> None:
        """Takes a text for samples.txt."""
        self._samples.add(f"--- {heading}\n{text}\n\n")

    def write(self) -> None:
        """Writes what there is.

        Raises:
            TextgenError: when the operating system refuses; what is not written is kept for the next time.
        """
        self._metrics.write()
        self._samples.write()
        if self._model is not None:
            write_model(self._path, self._model)
            self._model = None

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON values; a model file is made anew from the best checkpoint where it is missing.

        Raises:
            TextgenError: when the operating system refuses.
        """
        return {"metrics": self._metrics.kept(), "samples": self._samples.kept()}

    def take_over(self, kept: Mapping[str, Any], *, cut: bool) -> None:
        """Goes on from what a checkpoint kept.

        Args:
            kept: that; empty where there is no checkpoint.
            cut: whether the trainer that wrote it was killed later, so that what the files hold beyond it goes.

        Raises:
            TextgenError: when the operating system refuses.
        """
        self._metrics.take_over(kept.get("metrics", {}), cut=cut)
        self._samples.take_over(kept.get("samples", {}), cut=cut)
