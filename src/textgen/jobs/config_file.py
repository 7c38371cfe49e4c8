"""Reads a job's `config.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.config import TrainingConfig, settings
from textgen.config.yaml_text import from_yaml
from textgen.errors import FormatError, UsageError
from textgen.storage import read_text

if TYPE_CHECKING:
    from pathlib import Path


def read_config(path: Path, alternative: str) -> TrainingConfig:
    """Reads a job's `config.yaml`, which an earlier version of textgen may have written.

    Args:
        path: the file.
        alternative: what the user can do instead of repairing the file, for the error message.

    Raises:
        FormatError: if its content is not valid.
        TextgenError: if it cannot be read.
    """
    try:
        older = {setting.name: setting.value_in_older_jobs for setting in settings(TrainingConfig)}
        return TrainingConfig(**older | from_yaml(read_text(path), str(path)))
    except FormatError as error:
        raise FormatError(f"{error}; repair it, or {alternative}") from error
    except UsageError as error:
        raise FormatError(f"{path}: {error}; repair it, or {alternative}") from error
