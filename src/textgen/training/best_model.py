"""Sees to it that the model file is that of the best step, as the checkpoint that a job goes on from knows it.

It is not where the file was lost, could not be written, or is of a later step that a killed trainer had come to.
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


def mend_best_model(
    path: Path,
    store: CheckpointStore,
    progress: Progress,
    to_file: Callable[[Mapping[str, np.ndarray], int, float], ModelFile],
    console: Console,
) -> ModelFile | None:
    """Makes the model file anew from the best checkpoint, if it is not that model's.

    Args:
        path: the model file.
        store: the checkpoints.
        progress: knows the best step; forgets it where the best checkpoint is lost, too.
        to_file: makes a model file of a checkpoint's tensors, its step and the validation text's loss.
        console: told what is lost.

    Returns:
        What is to be written; None where nothing is.
    """
    step, loss = progress.best_step, progress.best_loss
    if step is None or loss is None or _step_of(path) == step:
        return None
    try:
        return to_file(store.read(step).tensors, step, loss)
    except TextgenError as error:
        console.warn(f"the best model, of step {step}, is lost and is searched for anew: {error}")
    progress.forget_best()
    return None


def _step_of(path: Path) -> int | None:
    """The step of a model file; None where there is none that can be used."""
    try:
        return read_model(path).step
    except TextgenError:
        return None
