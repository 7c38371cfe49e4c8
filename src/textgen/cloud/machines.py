"""Which machines Vertex AI has: presets, and which accelerators go with which machine type; asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textgen.config.vertex import VertexConfig
from textgen.errors import UsageError


@dataclass(frozen=True)
class Machine:
    """A machine of a job.

    Attributes:
        type: of Compute Engine.
        accelerator: as Vertex AI names it; None for none.
        count: of accelerators.
    """

    type: str
    accelerator: str | None = None
    count: int = 0


PRESETS = {
    "cpu": Machine("n2-standard-8"),
    "t4": Machine("n1-standard-8", "NVIDIA_TESLA_T4", 1),
    "l4": Machine("g2-standard-8", "NVIDIA_L4", 1),
    "a100": Machine("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1),
    "h100": Machine("a3-highgpu-1g", "NVIDIA_H100_80GB", 1),
    "8xa100": Machine("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8),
}

_BUILT_IN = {
    r"a2-highgpu-(\d+)g": "NVIDIA_TESLA_A100",
    r"a2-megagpu-(\d+)g": "NVIDIA_TESLA_A100",
    r"a2-ultragpu-(\d+)g": "NVIDIA_A100_80GB",
    r"a3-highgpu-(\d+)g": "NVIDIA_H100_80GB",
    r"a3-megagpu-(\d+)g": "NVIDIA_H100_MEGA_80GB",
    r"a3-ultragpu-(\d+)g": "NVIDIA_H200_141GB",
    r"a4-highgpu-(\d+)g": "NVIDIA_B200",
}
"""Machine types whose name ends in the number of GPUs that are built in (Compute Engine's documentation, "Accelerator-optimized machine family")."""

_L4 = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}
"""L4 GPUs of a `g2-standard` with so many processors (same page)."""

_N1 = {
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
"""How many of which GPU an `n1` machine takes (Compute Engine's documentation, "GPU platforms")."""

_WITHOUT = re.compile(r"(?:c2|c2d|c3|c4|e2|m1|m2|m3|n2|n2d|n4|t2d)-.+")
"""Machines that take no GPU."""

_FLEX_START = re.compile(r"NVIDIA_(?:L4|TESLA_A100|A100_80GB|H100.*|H200.*|B200)")
"""What can be waited for (Vertex AI's documentation, "Schedule training jobs based on resource availability")."""


def find_machine(config: VertexConfig) -> Machine:
    """The machine that the settings describe.

    Args:
        config: a preset, and what differs from it.

    Raises:
        UsageError: for a machine type and accelerators that do not go together; types that are not known are let pass.
    """
    preset = PRESETS[config.machine]
    if config.machine_type is None and config.accelerator is None and config.count is None:
        machine = preset
    else:
        machine = _override(preset, config)
    _check(machine)
    if config.flex_start and not (machine.accelerator and _FLEX_START.fullmatch(machine.accelerator)):
        raise UsageError(
            f"--flex_start waits for an L4, A100, H100, H200 or B200, and {machine.type} has "
            f"{machine.accelerator or 'no GPU'}; leave it out, or name another machine"
        )
    return machine


def _override(preset: Machine, config: VertexConfig) -> Machine:
    kind = config.machine_type or preset.type
    accelerator, count = config.accelerator, config.count
    if accelerator is not None:
        accelerator = accelerator.upper().replace("-", "_")
    built_in = _built_in(kind)
    if built_in is not None:
        return Machine(kind, accelerator or built_in.accelerator, count or built_in.count)
    if config.machine_type is not None and accelerator is None and count is None:
        return Machine(kind)
    return Machine(kind, accelerator or preset.accelerator, count or max(preset.count, 1))


def _built_in(kind: str) -> Machine | None:
    """A machine type with the accelerators that are always in it; None where there are none such."""
    for pattern, accelerator in _BUILT_IN.items():
        if found := re.fullmatch(pattern, kind):
            return Machine(kind, accelerator, int(found[1]))
    if (found := re.fullmatch(r"g2-standard-(\d+)", kind)) and int(found[1]) in _L4:
        return Machine(kind, "NVIDIA_L4", _L4[int(found[1])])
    return None


def _check(machine: Machine) -> None:
    asked = f"{machine.count} x {machine.accelerator}"
    built_in = _built_in(machine.type)
    if built_in is not None:
        if machine != built_in:
            raise UsageError(
                f"{machine.type} comes with {built_in.count} x {built_in.accelerator}, and {asked} is asked for; "
                "leave --accelerator and --count out, or name another --machine_type"
            )
    elif machine.accelerator is None:
        return
    elif _WITHOUT.fullmatch(machine.type):
        raise UsageError(
            f"{machine.type} takes no GPU, and {asked} is asked for; name another --machine_type, such as g2-standard-8 or n1-standard-8"
        )
    elif machine.type.startswith("n1-"):
        counts = _N1.get(machine.accelerator)
        if counts is None:
            raise UsageError(
                f"{machine.type} takes {', '.join(_N1)}, and {machine.accelerator} is asked for; name another --machine_type or --accelerator"
            )
        if machine.count not in counts:
            raise UsageError(
                f"{machine.type} takes {', '.join(map(str, counts))} of {machine.accelerator}, and {machine.count} is asked for; give another --count"
            )
