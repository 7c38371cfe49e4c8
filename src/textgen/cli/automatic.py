"""Chooses the settings that the command line leaves open if time limits a run; loads nothing heavy."""

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
"""Files of NVIDIA's driver: on Linux, and on Linux within Windows."""
_CUDA_LIBRARY = "nvidia.cudnn"
"""Part of textgen[gpu]. If TensorFlow finds the library elsewhere, only --device gpu counts as a GPU."""
_NO_DEVICES = ("", "-1")
"""Values of CUDA_VISIBLE_DEVICES that hide every GPU."""


def leaves_model_open(command: TrainCommand, given: Collection[str]) -> bool:
    """Whether neither --config nor a flag for the model is given: a file of settings counts as a whole, with its defaults.

    Args:
        command: the other flags.
        given: the settings that were given.
    """
    return command.config is None and set(SHAPE_SETTINGS).isdisjoint(given)


def minutes_to_choose_for(config: TrainingConfig, command: TrainCommand, given: Collection[str]) -> float | None:
    """The minutes for which a model is chosen; None if time is not the limit or the model is given.

    Args:
        config: the settings, those not given at their defaults.
        command: the other flags.
        given: the settings that were given.
    """
    return config.time_limit if leaves_model_open(command, given) else None


def complete(
    config: TrainingConfig, command: TrainCommand, given: Collection[str], corpus: Corpus, device: DeviceKind
) -> tuple[TrainingConfig, tuple[Choice, ...]]:
    """Chooses a model and how to train it, if these are left open and time is the limit.

    Args:
        config: the settings, those not given at their defaults.
        command: the other flags.
        given: the settings that were given.
        corpus: the text.
        device: the kind of device that will train.

    Returns:
        The settings, and the choices among them.
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
    """The settings with the model of an existing job; if time is the limit, also with the job's other chosen settings.

    Args:
        config: the settings, with nothing chosen.
        given: the settings that were given.
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
    """A remark on an existing job that may be of the same text, if a model was chosen; empty if there is none.

    Args:
        config: the settings, including the chosen ones.
        job: of the chosen model; it does not exist yet.
        prefix: the first part of such jobs' names.
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
    """The choices and their reasons, one line per reason."""
    return [
        ", ".join(f"{name} {_shown(value)}" for name, value in choice.settings.items()) + f": {choice.reason}"
        for choice in choices
    ]


def chosen_flags(config: TrainingConfig) -> str:
    """The flags that give a config's model and how it is trained, so that nothing is left to choose."""
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
    """The kind of device that this machine will train on, without asking TensorFlow.

    Args:
        command: the flags; `device` is the one that is wanted.
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
