"""Writes and runs LiteRT (formerly TensorFlow Lite) files; their signature has the names of `planning.one_step`."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from textgen.generation import ModelFile
from textgen.model import build_one_step
from textgen.portable.comparison import OneStep, check_step


def write(model: ModelFile, path: Path, name: str) -> None:  # noqa: ARG001 - only pages show the name
    """Writes a model to a file whose name ends in `.tflite`."""
    build_one_step(model).export(path, format="litert", verbose=False)


def check(model: ModelFile, path: Path) -> float:
    """Checks a file written by `write`; see `check_step`."""
    return check_step(model, open_step(path))


def open_step(path: Path) -> OneStep:
    """Opens a file written by `write`."""
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda inputs: runner(**inputs)
