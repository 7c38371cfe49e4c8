"""Makes the job name from the settings that shape the checkpoint."""

from __future__ import annotations

from textgen.config.option import settings
from textgen.config.training import TrainingConfig

PLACEHOLDER = "%JOB%"


def job_name(config: TrainingConfig, prefix: str) -> str:
    """The name of the job, such as `jules-120-states-4-layers-norm-word`.

    States and layers are always part of it, any other setting only if it differs from the default.

    Args:
        config: the settings.
        prefix: names the text.
    """
    parts = [prefix]
    for setting in settings(config):
        value = getattr(config, setting.name)
        part = setting.option.job_part
        if part is not None and (setting.option.in_every_job_name or value != setting.default):
            parts.append(part(value))
    return "-".join(parts)


def with_job_name(path: str, name: str) -> str:
    """A path with `%JOB%` replaced by the job name."""
    return path.replace(PLACEHOLDER, name)


def shape(config: TrainingConfig) -> dict[str, object]:
    """The settings that shape the checkpoint, by name: two configs with the same shape share a model."""
    return {
        setting.name: getattr(config, setting.name) for setting in settings(config) if setting.option.shapes_checkpoint
    }
