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
    parts = (setting.job_part(getattr(config, setting.name)) for setting in settings(config))
    return "-".join([prefix, *filter(None, parts)])


def with_job_name(path: str, name: str) -> str:
    """Returns a path with `%JOB%` replaced by the job name."""
    return path.replace(PLACEHOLDER, name)


def shape(config: TrainingConfig) -> dict[str, object]:
    """Returns the settings that shape the checkpoint, by name. Two configs of the same shape can resume each other's job.

    If only one value of a setting shapes the checkpoint, the result contains the switch for this value, such as `use_fp16`.
    """
    found = {}
    for setting in settings(config):
        value = getattr(config, setting.name)
        if setting.option.shapes_checkpoint and setting.option.switch is not None:
            switch, its_value = setting.option.switch
            found[switch] = value == its_value
        elif setting.option.shapes_checkpoint:
            found[setting.name] = value
    return found
