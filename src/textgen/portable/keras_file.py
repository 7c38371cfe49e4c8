"""Writes and runs `.keras` files, which any Keras 3 backend loads in safe mode without textgen's code."""

from __future__ import annotations

from pathlib import Path

import keras

from textgen.generation import ModelFile
from textgen.model import build_one_step
from textgen.portable.comparison import OneStep, check_step


def write(model: ModelFile, path: Path, name: str) -> None:  # noqa: ARG001 - only pages show the name
    """Writes a model to a file whose name ends in `.keras`."""
    build_one_step(model).save(path)


def check(model: ModelFile, path: Path) -> float:
    """Checks a file written by `write`; see `check_step`."""
    return check_step(model, open_step(path))


def open_step(path: Path) -> OneStep:
    """Opens a file written by `write`."""
    step: OneStep = keras.saving.load_model(path, compile=False, safe_mode=True).predict_on_batch
    return step
