"""Restores the best model's file when a job resumes.

The file may have been lost, may not have been written because the disk was full, or may come from a later step than the
checkpoint, which a killed trainer had reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from textgen.console import Console
from textgen.errors import TextgenError
from textgen.generation import ModelFile, read_model
from textgen.jobs import CheckpointStore
from textgen.training.progress import Progress


def restore_best_model(
    path: Path,
    store: CheckpointStore,
    progress: Progress,
    to_file: Callable[[Mapping[str, np.ndarray], int, float], ModelFile],
    console: Console,
) -> ModelFile | None:
    """Builds the model file from the best checkpoint unless the file on disk is already that of the best step.

    Args:
        path: the model file.
        store: the checkpoints.
        progress: has the best step; it is cleared if the best checkpoint is lost, too.
        to_file: builds a model file from a checkpoint's tensors, its step and the validation loss.
        console: receives a warning if the best model is lost.

    Returns:
        The model file to write, or None if there is nothing to write.
    """
    step, loss = progress.best_step, progress.best_loss
    if step is None or loss is None or _step_of(path) == step:
        return None
    try:
        return to_file(store.read(step).tensors, step, loss)
    except TextgenError as error:
        console.warn(f"the best model, of step {step}, is lost; the next evaluation becomes the best: {error}")
    progress.forget_best()
    return None


def _step_of(path: Path) -> int | None:
    """The step of a model file, or None if it is missing or damaged."""
    try:
        return read_model(path).step
    except TextgenError:
        return None
