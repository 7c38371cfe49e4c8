"""Writes the settings of a run for TensorBoard's HParams tab, which compares jobs by them."""

from __future__ import annotations

import io
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from textgen.config import TrainingConfig, settings
from textgen.console import visible
from textgen.formatting import described
from textgen.storage import remove_abandoned, write_atomic

_FILE = "events.out.tfevents.0.settings"
"""TensorBoard shows the first settings of a job that it reads, and reads the files in the order of their names, which contain a time."""


def write_hparams(directory: Path, config: TrainingConfig, name: str) -> None:
    """Writes the settings of a run, in place of those of the job's last run.

    Args:
        directory: where the event files of the validation text are, so that the tab shows its scores.
        config: the settings.
        name: the name of the job in the tab.

    Raises:
        TextgenError: if the operating system refuses.
    """
    summary = hparams_pb(_as_hparams(config), trial_id=name)
    content = io.BytesIO()
    for event in (Event(file_version="brain.Event:2"), Event(summary=summary)):
        event.wall_time = time.time()
        RecordWriter(content).write(event.SerializeToString())
    remove_abandoned(directory, _FILE)
    write_atomic(directory / _FILE, content.getvalue())


def _as_hparams(config: TrainingConfig) -> dict[str, bool | float | str]:
    """Returns all settings but the places of files, as values that HParams knows."""
    values = {
        setting.name: getattr(config, setting.name)
        for setting in settings(TrainingConfig)
        if setting.option.group != "places"
    }
    return {
        name: value if isinstance(value, bool | int | float) else visible(described(value))
        for name, value in values.items()
    }
