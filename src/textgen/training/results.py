"""Collects the results of evaluations and writes them to the job directory: the model file, metrics and samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textgen.console import Console
from textgen.errors import TextgenError
from textgen.generation import ModelFile, read_model, write_model
from textgen.jobs import CheckpointStore, JobDirectory, LogFile, as_json
from textgen.training.progress import Progress


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

    def restore_model(
        self,
        store: CheckpointStore,
        progress: Progress,
        to_file: Callable[[Mapping[str, np.ndarray], int, float], ModelFile],
        console: Console,
    ) -> None:
        """Writes the model file from the best checkpoint unless it is already that of the best step.

        It may have been lost, may not have been written because the disk was full, or may come from a later step than the
        checkpoint, which a killed trainer had reached.

        Args:
            store: the checkpoints.
            progress: has the best step; it is cleared if the best checkpoint is lost, too.
            to_file: builds a model file from a checkpoint's tensors, its step and the validation loss.
            console: receives a warning if the best model is lost.

        Raises:
            TextgenError: if a write fails.
        """
        step, loss = progress.best_step, progress.best_loss
        if step is None or loss is None or _step_of(self._path) == step:
            return
        try:
            self._model = to_file(store.read(step).tensors, step, loss)
        except TextgenError as error:
            console.warn(f"the best model, of step {step}, is lost; the next evaluation becomes the best: {error}")
            progress.forget_best()
        self.write()


def _step_of(path: Path) -> int | None:
    """The step of a model file, or None if it is missing or damaged."""
    try:
        return read_model(path).step
    except TextgenError:
        return None
