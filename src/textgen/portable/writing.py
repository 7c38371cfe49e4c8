"""Exports a model to a file, checks the file, and keeps it only if it is the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from textgen.errors import FormatError, UsageError, named
from textgen.generation import ModelFile
from textgen.portable.comparison import FileDiffersError
from textgen.portable.formats import FORMATS
from textgen.storage import atomic_path, write_atomic


@dataclass(frozen=True)
class Exported:
    """The exported files.

    Attributes:
        model: the model's file.
        vocabulary: the JSON file next to it; None if the model's file contains the vocabulary.
        difference: what the check found: the largest difference of any logit from textgen's own step, in some short texts.
        finding: the same in words.
    """

    model: Path
    vocabulary: Path | None
    difference: float
    finding: str


class _Backend(Protocol):
    """The functions of a format's module."""

    def write(self, model: ModelFile, path: Path, name: str) -> None:
        """Writes a file that calls the model by a name."""

    def check(self, model: ModelFile, path: Path) -> float:
        """Checks that a file is the model, and returns `Exported.difference`; else raises `FileDiffersError`."""


def export_model(model: ModelFile, name: str, path: Path, model_name: str = "") -> Exported:
    """Exports a model to another format. Every file is written atomically.

    Unless the format is complete, the vocabulary is written as JSON next to the model.

    Args:
        model: the model file.
        name: the format's name; its modules must be installed (see `check_installed`).
        path: the file, with the format's suffix. An existing file is replaced.
        model_name: what a page calls the model; empty for the name of the file.

    Returns:
        The exported files.

    Raises:
        UsageError: if the model is too large for the format, or has weights or cells that the format lacks.
        FormatError: if the exported file is not the model; it is deleted, and an existing file is kept.
        TextgenError: if a file cannot be written.
    """
    known = FORMATS[name]
    size = model.shape.parameters * known.weight_bytes
    if known.most_bytes is not None and size > known.most_bytes:
        from rich.filesize import decimal

        raise UsageError(
            f"{named('format')} {name} can contain at most {decimal(known.most_bytes)} of weights, and this model has {decimal(size)}; "
            f"use {named('format')} keras"
        )
    backend = cast("_Backend", import_module(known.module))
    _, vocabulary = known.files(path)
    with atomic_path(path) as temporary:
        backend.write(model, temporary, model_name or path.stem)
        try:
            difference = backend.check(model, temporary)
        except FileDiffersError as error:
            raise FormatError(f"cannot write {path}: {error}; use another {named('format')}") from error
        if vocabulary is not None:
            # Before the model is renamed, so that there is never a model without its vocabulary.
            write_atomic(vocabulary, json.dumps(model.vocabulary.to_json(), ensure_ascii=False) + "\n")
    return Exported(path, vocabulary, difference, known.finding.format(difference))
