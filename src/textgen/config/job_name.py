"""Makes the job name from the settings that shape the checkpoint."""

from __future__ import annotations

from textgen.config.option import settings
from textgen.config.training import TrainingConfig

PLACEHOLDER = "%JOB%"


def job_name(config: TrainingConfig, prefix: str) -> str:
    """Returns the name of the job, such as `jules-120-states-4-layers-norm-word`.

    States and layers are always part of it, any other setting only if it differs from the default.

    Args:
        config: the settings.
        prefix: the first part of the name, which identifies the text.
    """
    parts = [prefix]
    for setting in settings(config):
        value = getattr(config, setting.name)
        part = setting.option.job_part
        if part is not None and (setting.option.in_every_job_name or value != setting.default):
            parts.append(part(value))
    return "-".join(parts)


def with_job_name(path: str, name: str) -> str:
    """Returns a path with `%JOB%` replaced by the job name."""
    return path.replace(PLACEHOLDER, name)


def shape(config: TrainingConfig) -> dict[str, object]:
    """Returns the settings that shape the checkpoint, by name. Two configs of the same shape can resume each other's job."""
    return {
        setting.name: getattr(config, setting.name) for setting in settings(config) if setting.option.shapes_checkpoint
    }
