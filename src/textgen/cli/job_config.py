"""Reads the settings that a job was last run with; knows nothing of what they are needed for."""

from __future__ import annotations

from pathlib import Path

from textgen.config import TrainingConfig
from textgen.config.yaml_text import from_yaml
from textgen.errors import FormatError, UsageError
from textgen.storage import read_text


def read_config(path: Path, way_out: str) -> TrainingConfig:
    """Reads a job's `config.yaml`.

    Args:
        path: the file.
        way_out: what else to do where it cannot be mended, for the error.

    Raises:
        FormatError: when it holds no settings.
        TextgenError: when it cannot be read.
    """
    try:
        return TrainingConfig(**from_yaml(read_text(path), str(path)))
    except UsageError as error:
        raise FormatError(f"{path}: {error}; mend it, or {way_out}") from error
