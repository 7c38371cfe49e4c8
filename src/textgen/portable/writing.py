"""Exports a model to a file, runs the file, and keeps it only if it computes the same as the model file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from textgen.errors import FormatError, UsageError, named
from textgen.generation import ModelFile
from textgen.portable.comparison import OneStep, largest_difference
from textgen.portable.formats import FORMATS
from textgen.storage import atomic_path, write_atomic

TOLERANCE = 1e-4
"""The largest accepted difference: rounding causes about 1e-6, a wrong weight or operator far more."""


@dataclass(frozen=True)
class Exported:
    """The exported files.

    Attributes:
        model: the model's file.
        vocabulary: the JSON file next to it.
        difference: the largest difference of any logit from textgen's own step; see `largest_difference`.
    """

    model: Path
    vocabulary: Path
    difference: float


class _Backend(Protocol):
    """The functions of a format's module."""

    def write(self, model: ModelFile, path: Path) -> None:
        """Writes a file."""

    def open_step(self, path: Path) -> OneStep:
        """Opens a file written by `write`."""


def export_model(model: ModelFile, name: str, path: Path) -> Exported:
    """Exports a model to another format, with its vocabulary as JSON next to it; both files are written atomically.

    Args:
        model: the model file.
        name: the format's name; its modules must be installed (see `check_installed`).
        path: the file, with the format's suffix. An existing file is replaced.

    Returns:
        The exported files.

    Raises:
        UsageError: if the model is too large for the format.
        FormatError: if the exported file computes something else; it is deleted, and an existing file is kept.
        TextgenError: if a file cannot be written.
    """
    known = FORMATS[name]
    size = model.shape.weight_bytes
    if known.most_bytes is not None and size > known.most_bytes:
        from rich.filesize import decimal

        raise UsageError(
            f"{named('format')} {name} can contain at most {decimal(known.most_bytes)} of weights, and this model has {decimal(size)}; "
            f"use {named('format')} keras"
        )
    backend = cast("_Backend", import_module(known.module))
    vocabulary = path.with_name(f"{path.name}.vocabulary.json")
    with atomic_path(path) as temporary:
        backend.write(model, temporary)
        difference = largest_difference(model, backend.open_step(temporary))
        if not difference <= TOLERANCE:  # NaN is not
            raise FormatError(
                f"cannot write {path}: in a test its logits differed from the model's by up to {difference:.2g}, "
                f"more than the {TOLERANCE:g} allowed; use another {named('format')}"
            )
        # Before the model is renamed, so that there is never a model without its vocabulary.
        write_atomic(vocabulary, json.dumps(model.vocabulary.to_json(), ensure_ascii=False) + "\n")
    return Exported(path, vocabulary, difference)
