"""Writes a model in a format, runs what was written, and keeps it only if it does what the model file does."""

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
"""How large the difference may be: rounding gives some 1e-6, a wrong weight or operator far more."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        model: the file.
        vocabulary: the JSON file beside it.
        difference: the largest of any logit from textgen's own step (see `largest_difference`).
    """

    model: Path
    vocabulary: Path
    difference: float


class _Backend(Protocol):
    """What a format's module has."""

    def write(self, model: ModelFile, path: Path) -> None:
        """Writes a file."""

    def open_step(self, path: Path) -> OneStep:
        """Opens what `write` wrote."""


def export_model(model: ModelFile, name: str, path: Path) -> Exported:
    """Writes a model as a file of another format, and its vocabulary as JSON beside it, each whole or not at all.

    Args:
        model: the model file.
        name: the format's; what it needs must be installed (see `check_installed`).
        path: the file; an old one is replaced. Its name has the format's suffix.

    Returns:
        What was written.

    Raises:
        UsageError: when the model is too large for the format.
        FormatError: when the written file does not do what the model file does; it is removed, and an old one stays.
        TextgenError: when the operating system refuses.
    """
    known = FORMATS[name]
    size = sum(tensor.nbytes for tensor in model.tensors.values())
    if known.most_bytes is not None and size > known.most_bytes:
        raise UsageError(
            f"{named('format')} {name} holds at most {known.most_bytes / 1e9:.1f} GB, and this model has {size / 1e9:.1f} GB; "
            f"take {named('format')} keras"
        )
    backend = cast("_Backend", import_module(known.module))
    vocabulary = path.with_name(f"{path.name}.vocabulary.json")
    with atomic_path(path) as temporary:
        backend.write(model, temporary)
        difference = largest_difference(model, backend.open_step(temporary))
        if not difference <= TOLERANCE:  # NaN is not
            raise FormatError(
                f"cannot write {path}: run for a test, it gave logits that differ from those of the model by up to "
                f"{difference:.2g}, and {TOLERANCE:g} is allowed; take another {named('format')}"
            )
        # Before the model is moved into its place, so that it never lies there without its vocabulary.
        write_atomic(vocabulary, json.dumps(model.vocabulary.to_json(), ensure_ascii=False) + "\n")
    return Exported(path, vocabulary, difference)
