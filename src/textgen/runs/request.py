"""Reads the request for a run, from settings and a preset."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from textgen.config import TrainCommand, TrainingConfig
from textgen.config.flags import build
from textgen.config.yaml_text import from_yaml
from textgen.errors import MissingError, UsageError, from_os_error, named
from textgen.formatting import nearest
from textgen.machine import physical_cores
from textgen.planning import SHAPE_SETTINGS, DeviceKind
from textgen.storage import bundled, fetch, is_bucket, read_text

_NONE: Mapping[str, Any] = MappingProxyType({})
_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/usr/lib/wsl/lib/libcuda.so.1"))
"""Files of NVIDIA's driver, on Linux and in the Windows Subsystem for Linux."""
_CUDA_LIBRARY = "nvidia.cudnn"
"""A library that `textgen[gpu]` installs. If TensorFlow finds it elsewhere, `device` must be `gpu` to count as a GPU."""
_NO_DEVICES = ("", "-1")
"""Values of CUDA_VISIBLE_DEVICES that hide every GPU."""
_TEXTS = ("texts", "data_dir")
_PLACES = ("job_dir", "summary_dir")


@dataclass(frozen=True)
class Request:
    """A request for a run.

    Attributes:
        config: the settings; those that were not given have their defaults.
        command: the settings of this call, which a job does not store.
        given: the names of the settings that were given, in a preset or by the caller.
        device: the kind of device that will train.
        cores: the number of cores of the CPU.
    """

    config: TrainingConfig
    command: TrainCommand
    given: frozenset[str]
    device: DeviceKind
    cores: int

    @property
    def leaves_model_open(self) -> bool:
        """Whether neither a preset nor a setting sets the shape of the model."""
        return self.command.config is None and self.given.isdisjoint(SHAPE_SETTINGS)

    @property
    def minutes_to_choose_for(self) -> float | None:
        """The minutes to choose the shape of a model for; None if time is not the limit, or the shape was given."""
        return self.config.time_limit if self.leaves_model_open else None


def read_request(values: Mapping[str, Any], defaults: Mapping[str, Any] = _NONE) -> Request:
    """Reads the request for a run.

    Args:
        values: the given settings of `TrainingConfig` and `TrainCommand`; all others are ignored. They win over the preset.
        defaults: the settings of the environment; the preset wins over them.

    Raises:
        TextgenError: if a value is invalid, or the preset cannot be read.
    """
    command = build(TrainCommand, values)
    preset = {} if command.config is None else read_preset(command.config, values)
    given = {**defaults, **preset, **values}
    config, device = build(TrainingConfig, given), device_kind(command.device)
    return Request(config, command, frozenset(given), device, cores=len(physical_cores()))


def device_kind(device: str) -> DeviceKind:
    """Returns the kind of device that will train, without loading TensorFlow.

    Args:
        device: the setting. If it is "auto", the machine has a GPU if NVIDIA's driver and `textgen[gpu]` are installed.
    """
    if device != "auto":
        return "gpu" if device == "gpu" else "cpu"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in _NO_DEVICES:
        return "cpu"
    try:
        has_library = importlib.util.find_spec(_CUDA_LIBRARY) is not None
    except ModuleNotFoundError:
        has_library = False
    return "gpu" if has_library and any(driver.exists() for driver in _DRIVERS) else "cpu"


def preset_names() -> list[str]:
    """Returns the names of the presets."""
    return sorted(path.stem for path in bundled("configs").glob("*.yaml"))


def read_preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Reads a preset or a YAML file; a file wins over a preset of the same name.

    If the given settings name a text, the text in the file is ignored. So is the file's prefix, if they name the text by its
    files. A preset's directories, which are meant for the bundled story, are ignored too.

    Args:
        name: the value of `config`.
        given: the settings that were given.

    Returns:
        The settings, by name.

    Raises:
        TextgenError: if there is no such file or preset, or it is not valid.
    """
    values, is_preset = _read(name)
    if not any(given.get(text) for text in _TEXTS):
        return values
    ignored = {*_TEXTS, *(_PLACES if is_preset else ())}
    if given.get("texts") and any(values.get(text) for text in _TEXTS):
        ignored.add("data_prefix")
    return {setting: value for setting, value in values.items() if setting not in ignored}


def _read(name: str) -> tuple[dict[str, Any], bool]:
    """Returns the settings, and whether they come from a preset."""
    if is_bucket(name):
        return from_yaml(read_text(fetch(name)), name), False
    path, presets = Path(name), preset_names()
    try:
        if not path.exists() or (path.is_dir() and name in presets):
            if name not in presets:
                raise MissingError(
                    f"{named('config')} {name} is neither a file nor a preset{nearest(name, presets)}; "
                    f"the presets are {', '.join(presets)}"
                )
            preset = bundled("configs") / f"{name}.yaml"
            return from_yaml(read_text(preset), str(preset)), True
        if not path.is_file() and not path.is_fifo():
            raise UsageError(
                f"{named('config')} must be a preset or a YAML file, got {name}, which is neither; name a file"
            )
    except OSError as error:
        raise from_os_error(error, f"cannot read {named('config')} {name}") from error
    return from_yaml(read_text(path), str(path)), False
