"""Writes and runs ONNX files; needs neither Keras nor TensorFlow."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from textgen.generation import ModelFile
from textgen.portable.comparison import OneStep, check_step
from textgen.portable.onnx_graph import make_onnx_model


def write(model: ModelFile, path: Path, name: str) -> None:  # noqa: ARG001 - only pages show the name
    """Writes a model to a file."""
    path.write_bytes(make_onnx_model(model).SerializeToString())


def check(model: ModelFile, path: Path) -> float:
    """Checks a file written by `write`; see `check_step`."""
    return check_step(model, open_step(path))


def open_step(path: Path) -> OneStep:
    """Opens a file written by `write`."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))
