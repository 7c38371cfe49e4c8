"""Chooses the settings that the user left open: the model, and how to train it. Does not load TensorFlow."""

from __future__ import annotations

import dataclasses
import glob
import importlib.util
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from textgen.config import PLACEHOLDER, TrainCommand, TrainingConfig, job_name, settings
from textgen.corpus import Corpus
from textgen.errors import TextgenError
from textgen.jobs import JobDirectory
from textgen.planning import (
    CHOSEN_SETTINGS,
    LIMITS_BY_PASSES,
    SHAPE_SETTINGS,
    Choice,
    DeviceKind,
    choose,
)
from textgen.runs.job_config import START_OVER, notes_start, read_config

_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/usr/lib/wsl/lib/libcuda.so.1"))
"""Files of NVIDIA's driver, on Linux and in the Windows Subsystem for Linux."""
_CUDA_LIBRARY = "nvidia.cudnn"
"""A library that `textgen[gpu]` installs. If TensorFlow finds it elsewhere, `--device gpu` is needed to count as a GPU."""
_NO_DEVICES = ("", "-1")
"""Values of CUDA_VISIBLE_DEVICES that hide every GPU."""


def leaves_model_open(command: TrainCommand, given: Collection[str]) -> bool:
    """Returns whether neither `--config` nor a flag sets the shape of the model.

    Args:
        command: the flags that are not settings.
        given: the names of the settings that were given.
    """
    return command.config is None and set(SHAPE_SETTINGS).isdisjoint(given)


def minutes_to_choose_for(config: TrainingConfig, command: TrainCommand, given: Collection[str]) -> float | None:
    """Returns the minutes to choose the shape of a model for; None if time is not the limit, or the shape was given.

    Args:
        config: the settings; those that were not given have their defaults.
        command: the flags that are not settings.
        given: the names of the settings that were given.
    """
    return config.time_limit if leaves_model_open(command, given) else None


def complete(
    config: TrainingConfig,
    command: TrainCommand,
    given: Collection[str],
    corpus: Corpus,
    device: DeviceKind,
    *,
    started: Mapping[str, Any] | None = None,
) -> tuple[TrainingConfig, tuple[Choice, ...]]:
    """Chooses the settings that were not given: how to train the model and, if time is the limit, its shape and the passes.

    Once a setting of the shape or `--config` is given, the other settings of the shape keep their defaults, so that the job keeps its
    name.

    Args:
        config: the settings; those that were not given have their defaults.
        command: the flags that are not settings.
        given: the names of the settings that were given; these are not changed.
        corpus: the text.
        device: the kind of device that will train.
        started: the shape of the model that training starts from, the `SHAPE_SETTINGS` by name; None for new weights.

    Returns:
        The settings, and the choices that were made.
    """
    shape = {name: getattr(config, name) for name in SHAPE_SETTINGS}
    has_shape = minutes_to_choose_for(config, command, given) is None
    # With a chosen number of passes, the default minutes would no longer apply.
    config = dataclasses.replace(config, minutes=config.time_limit)
    choices = []
    for choice in choose(
        config.minutes,
        corpus.train.characters,
        config.language_model,
        device,
        unroll_steps=config.unroll_steps,
        eval_steps=config.eval_steps,
        shape=shape if has_shape else None,
        started=started,
    ):
        left_open = {name: value for name, value in choice.settings.items() if name not in given}
        if left_open:
            choices.append(Choice(left_open, choice.reason))
            config = dataclasses.replace(config, **left_open)
    return config, tuple(choices)


def keep_choice(
    config: TrainingConfig, command: TrainCommand, given: Collection[str], job: JobDirectory
) -> TrainingConfig:
    """Takes the settings that were not given from an existing job, if they would be chosen for a new one.

    `epochs` and `patience` are taken only if time limits both the job so far and this run. If it limits only this run, they are those
    of a new job, or none if an earlier version of textgen made the job. If it does not limit this run, they are none.

    Args:
        config: the settings; those that were not given have the values for a new job.
        command: the flags that are not settings.
        given: the names of the settings that were given; these are not changed.
        job: the job, which exists.

    Returns:
        The settings.

    Raises:
        TextgenError: if the job's settings cannot be read.
    """
    before = read_config(job.config, START_OVER)
    kept = {name for name in CHOSEN_SETTINGS if name not in given} - set(LIMITS_BY_PASSES)
    if not leaves_model_open(command, given) or PLACEHOLDER in config.job_dir:
        kept -= set(SHAPE_SETTINGS)  # the job was found by its shape
    elif "precision" not in given:
        kept.add("use_fp16")
    config = with_settings(config, before, kept)
    if config.time_limit is not None and before.time_limit is not None:
        limits = before
    elif config.time_limit is not None and notes_start(job.config):
        limits = config
    else:
        limits = dataclasses.replace(before, epochs=None, patience=None)
    return with_settings(config, limits, (name for name in LIMITS_BY_PASSES if name not in given))


def other_models(config: TrainingConfig, job: JobDirectory, prefix: str) -> str:
    """Returns a remark about an existing local job with the same prefix but another model; empty if there is none.

    Args:
        config: the settings, including the chosen ones.
        job: the job of the chosen model; it does not exist yet.
        prefix: the first part of the job's name.
    """
    if job.uri is not None:
        return ""
    try:
        others = sorted(path.parent for path in job.root.parent.glob(f"{glob.escape(prefix)}-*/config.yaml"))
    except OSError:
        others = []
    for other in others:
        try:
            other_config = read_config(other / job.config.name, "")
        except TextgenError:
            continue
        if job_name(with_settings(config, other_config, SHAPE_SETTINGS), prefix) == other.name:
            return f"{other} already exists, with another model; to resume it instead, add {shape_flags(other_config)}"
    return ""


def shape_flags(config: TrainingConfig) -> str:
    """Returns the flags that select the shape of a config's model, and so the job of that shape."""
    shaping = (setting for setting in settings(config) if setting.name in SHAPE_SETTINGS)
    return " ".join(
        setting.as_argument(getattr(config, setting.name))
        for setting in shaping
        if setting.option.in_every_job_name or getattr(config, setting.name) != setting.default
    )


def with_settings(config: TrainingConfig, other: TrainingConfig, names: Iterable[str]) -> TrainingConfig:
    """Returns the settings, the named ones with another config's values."""
    return dataclasses.replace(config, **{name: getattr(other, name) for name in names})


def device_kind(command: TrainCommand) -> DeviceKind:
    """Returns the kind of device that will train, without loading TensorFlow.

    Args:
        command: the flags. If `device` is "auto", the machine has a GPU if NVIDIA's driver and `textgen[gpu]` are installed.
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
