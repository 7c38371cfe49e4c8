"""Reads the settings of a job's last run."""

from __future__ import annotations

from pathlib import Path

from textgen.config import TrainingConfig, settings
from textgen.config.yaml_text import from_yaml
from textgen.errors import FormatError, UsageError, named
from textgen.storage import read_text

START_OVER = f"use {named('fresh')} to start over"
"""Advice about a job that cannot be resumed."""


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


def notes_start(path: Path) -> bool:
    """Returns whether a job's `config.yaml` contains `init_from`, which earlier versions of textgen did not have.

    Args:
        path: the file, which `read_config` can read.
    """
    return "init_from" in from_yaml(read_text(path), str(path))
