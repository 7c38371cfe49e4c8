"""Completes what the command line leaves open where time is what limits a run; loads nothing heavy."""

from __future__ import annotations

import dataclasses
import glob
import importlib.util
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from textgen.cli.job_config import read_config
from textgen.config import TrainCommand, TrainingConfig, job_name, settings
from textgen.corpus import Corpus
from textgen.errors import TextgenError
from textgen.jobs import JobDirectory
from textgen.planning import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, DeviceKind, choose

_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/usr/lib/wsl/lib/libcuda.so.1"))
"""What NVIDIA's driver brings: on Linux, and on Linux within Windows."""
_CUDA_LIBRARY = "nvidia.cudnn"
"""Comes with textgen[gpu]. A TensorFlow that finds the library elsewhere counts as one without a GPU, unless --device says gpu."""
_NO_DEVICES = ("", "-1")
"""What CUDA_VISIBLE_DEVICES is where every GPU is hidden."""


def leaves_model_open(command: TrainCommand, given: Collection[str]) -> bool:
    """Whether no --config and no flag for the model is given: a file of settings is taken as a whole, with its defaults.

    Args:
        command: what is asked for beside the settings.
        given: the settings that somebody gave.
    """
    return command.config is None and set(SHAPE_SETTINGS).isdisjoint(given)


def minutes_to_choose_for(config: TrainingConfig, command: TrainCommand, given: Collection[str]) -> float | None:
    """The minutes for which a model is chosen; None where time is not the limit, or the model is not left open.

    Args:
        config: the settings, those not given at their defaults.
        command: what is asked for beside them.
        given: the settings that somebody gave.
    """
    return config.time_limit if leaves_model_open(command, given) else None


def complete(
    config: TrainingConfig, command: TrainCommand, given: Collection[str], corpus: Corpus, device: DeviceKind
) -> tuple[TrainingConfig, tuple[Choice, ...]]:
    """Chooses a model and how to train it, where that is left open and time is the limit.

    Args:
        config: the settings, those not given at their defaults.
        command: what else is asked for.
        given: the settings that somebody gave.
        corpus: the text.
        device: what kind will train.

    Returns:
        The settings, and what was chosen of them.
    """
    minutes = minutes_to_choose_for(config, command, given)
    if minutes is None:
        return config, ()
    choices = []
    characters = corpus.train.characters
    for choice in choose(minutes, characters, config.language_model, device, unroll_steps=config.unroll_steps):
        left_open = {name: value for name, value in choice.settings.items() if name not in given}
        if left_open:
            choices.append(Choice(left_open, choice.reason))
            config = dataclasses.replace(config, **left_open)
    return config, tuple(choices)


def keep_choice(config: TrainingConfig, given: Collection[str], job: JobDirectory) -> TrainingConfig:
    """The settings with the model that a job has already; where time is the limit, also with what is chosen beside a model.

    Args:
        config: the settings, with nothing chosen.
        given: the settings that somebody gave.
        job: the job, which exists.

    Raises:
        TextgenError: when its settings cannot be read.
    """
    there = read_config(job.config, "use --fresh to start over")
    kept = SHAPE_SETTINGS if config.time_limit is None else CHOSEN_SETTINGS
    if "precision" not in given:
        kept = (*kept, "use_fp16")
    return _with(config, there, (name for name in kept if name not in given))


def other_models(config: TrainingConfig, job: JobDirectory, prefix: str) -> str:
    """What is to be said of jobs that may be of the same text, where a model was chosen; empty for nothing.

    Args:
        config: the settings, with what was chosen.
        job: of the chosen model; it does not exist yet.
        prefix: with which the names of such jobs begin.
    """
    try:
        there = sorted(path.parent for path in job.root.parent.glob(f"{glob.escape(prefix)}-*/config.yaml"))
    except OSError:
        there = []
    for other in there:
        try:
            there_config = read_config(other / job.config.name, "")
        except TextgenError:
            continue
        if job_name(_with(config, there_config, SHAPE_SETTINGS), prefix) == other.name:
            flags = chosen_flags(there_config)
            return f"There is {other} already, with another model; with {flags} this run would go on with that."
    return ""


def describe(choices: Iterable[Choice]) -> list[str]:
    """What was chosen and why, a line for each reason."""
    return [
        ", ".join(f"{name} {_shown(value)}" for name, value in choice.settings.items()) + f": {choice.reason}"
        for choice in choices
    ]


def chosen_flags(config: TrainingConfig) -> str:
    """The flags that ask for a config's model and for how it is trained, and leave nothing to be chosen."""
    shown = (setting for setting in settings(config) if setting.name in CHOSEN_SETTINGS)
    return " ".join(
        setting.as_argument(getattr(config, setting.name))
        for setting in shown
        if setting.option.in_every_job_name or getattr(config, setting.name) != setting.default
    )


def _with(config: TrainingConfig, other: TrainingConfig, names: Iterable[str]) -> TrainingConfig:
    """The settings with some of another config."""
    return dataclasses.replace(config, **{name: getattr(other, name) for name in names})


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def device_kind(command: TrainCommand) -> DeviceKind:
    """What kind of device this machine will train on, without asking TensorFlow.

    Args:
        command: says which is wanted.
    """
    if command.device != "auto":
        return command.device
    if os.environ.get("CUDA_VISIBLE_DEVICES") in _NO_DEVICES:
        return "cpu"
    try:
        has_library = importlib.util.find_spec(_CUDA_LIBRARY) is not None
    except ModuleNotFoundError:
        has_library = False
    return "gpu" if has_library and any(driver.exists() for driver in _DRIVERS) else "cpu"
