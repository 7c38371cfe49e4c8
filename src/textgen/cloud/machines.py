"""Chooses a machine of Vertex AI, and checks that its GPUs exist and suit the machine type. Sends no request."""

from __future__ import annotations

import re

from textgen.config.vertex import MACHINES, Machine, VertexConfig
from textgen.errors import UsageError
from textgen.formatting import shown

# Vertex AI's documentation, "Configure compute resources for custom training", for all that follows.

_BUILT_IN = {
    "a2-highgpu": ("NVIDIA_TESLA_A100", {"1g": 1, "2g": 2, "4g": 4, "8g": 8}),
    "a2-megagpu": ("NVIDIA_TESLA_A100", {"16g": 16}),
    "a2-ultragpu": ("NVIDIA_A100_80GB", {"1g": 1, "2g": 2, "4g": 4, "8g": 8}),
    "a3-highgpu": ("NVIDIA_H100_80GB", {"1g": 1, "2g": 2, "4g": 4, "8g": 8}),
    "a3-megagpu": ("NVIDIA_H100_MEGA_80GB", {"8g": 8}),
    "a3-ultragpu": ("NVIDIA_H200_141GB", {"8g": 8}),
    "a4-highgpu": ("NVIDIA_B200", {"8g": 8}),
    "g2-standard": ("NVIDIA_L4", {"4": 1, "8": 1, "12": 1, "16": 1, "24": 2, "32": 1, "48": 4, "96": 8}),
    "g4-standard": ("NVIDIA_RTX_PRO_6000", {"48": 1, "96": 2, "192": 4, "384": 8}),
}
"""Machine series with built-in GPUs: the GPU, and the number of them by the end of the machine type."""

_ON_N1 = "NVIDIA_TESLA_T4"
_N1_COUNTS = {2: (1, 2, 4), 4: (1, 2, 4), 8: (1, 2, 4), 16: (1, 2, 4), 32: (2, 4), 64: (4,), 96: (4,)}
"""The numbers of T4 that an `n1` machine takes, by its number of processors."""

_GPU_IN_NAME = re.compile(r"[ag][0-9].*|.*gpu.*")
"""Machine types, known or not, that have a GPU by Compute Engine's naming of series."""

_WITHOUT = re.compile(r"(?:c2|c2d|c3|c3d|c4|c4d|e2|h3|m1|m2|m3|n2|n2d|n4|n4d|t2d)-.+")
"""Machine types that cannot have a GPU."""

_ARM = re.compile(r"(?:a4x|c4a|n4a|t2a)-.+")
"""Machine types whose processors cannot run the image, which is built for x86."""

_TPU = re.compile(r"(?:ct|tpu)[0-9].*|cloud-tpu")
"""Machine types with TPUs, which training would leave idle."""

_NOT_ON_DEMAND = re.compile(r"a3-highgpu-[124]g")
_FLEX_START = re.compile(r"NVIDIA_(?:L4|TESLA_A100|A100_80GB|H100.*|H200.*|B200)")
"""GPUs that a job can wait for (same documentation, "Schedule training jobs based on resource availability")."""

_TOO_OLD = ("NVIDIA_TESLA_K80", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100")
"""GPUs before Turing, which cuDNN 9 no longer supports (its support matrix)."""

ACCELERATORS = (_ON_N1, *dict.fromkeys(gpu for gpu, _ in _BUILT_IN.values()))


def find_machine(config: VertexConfig) -> Machine:
    """Returns the machine that the settings describe.

    Args:
        config: a preset, and what differs from it.

    Raises:
        UsageError: for a machine that does not exist or cannot train, and for GPUs that do not go with the machine type.
            A machine type that is not known is accepted if the settings name its GPUs, or say that it has none.
    """
    machine = _described(config)
    if _NOT_ON_DEMAND.fullmatch(machine.type) and not (config.spot or config.flex_start):
        raise UsageError(f"{machine.type} is not available on demand; add --spot or --flex_start")
    if config.flex_start and not (machine.accelerator and _FLEX_START.fullmatch(machine.accelerator)):
        raise UsageError(
            f"--flex_start waits for an L4, A100, H100, H200 or B200, and {machine.type} has "
            f"{machine.accelerator or 'no GPU'}; leave it out, or name another machine"
        )
    return machine


def _described(config: VertexConfig) -> Machine:
    preset = MACHINES[config.machine]
    kind = config.machine_type or preset.type
    accelerator = _accelerator(config.accelerator)
    if _ARM.fullmatch(kind):
        raise UsageError(f"{kind} has ARM processors, and the image is built for x86; name another --machine_type")
    if _TPU.fullmatch(kind):
        raise UsageError(f"{kind} has TPUs, which textgen does not use; name another --machine_type")
    series, _, size = kind.rpartition("-")
    if series in _BUILT_IN:
        return _with_built_in(kind, series, size, accelerator, config.count)
    wants_gpu = accelerator is not None or config.count is not None
    if _WITHOUT.fullmatch(kind):
        if wants_gpu:
            raise UsageError(
                f"{kind} takes no GPU, got {_shown(accelerator, config.count)}; name another --machine_type, such as "
                "g2-standard-8 or n1-standard-8"
            )
        return Machine(kind)
    if kind.startswith("n1-"):
        if wants_gpu or preset.accelerator == _ON_N1:
            return _n1(kind, size, accelerator or _ON_N1, config.count or 1)
        if config.machine != "cpu":
            raise UsageError(
                f"{kind} can have a GPU or none; add --machine t4 or --accelerator for one, or --machine cpu for none"
            )
        return Machine(kind)
    return _unknown(config, kind, accelerator)


def _accelerator(asked: str | None) -> str | None:
    """A GPU by Vertex AI's name, also from Compute Engine's, such as `nvidia-l4`."""
    if asked is None:
        return None
    name = asked.upper().replace("-", "_")
    if name in _TOO_OLD:
        raise UsageError(
            f"{name} is too old for cuDNN 9, which TensorFlow needs; name a T4 or newer with --accelerator"
        )
    if name not in ACCELERATORS:
        raise UsageError(
            f"--accelerator must be one of {', '.join(ACCELERATORS)}, got {shown(asked)}; name one of these"
        )
    return name


def _with_built_in(kind: str, series: str, size: str, accelerator: str | None, count: int | None) -> Machine:
    gpu, sizes = _BUILT_IN[series]
    if size not in sizes:
        raise UsageError(
            f"Vertex AI has no machine type {kind}; name one of {', '.join(f'{series}-{known}' for known in sizes)}"
        )
    machine = Machine(kind, gpu, sizes[size])
    if (accelerator or gpu, count or machine.count) != (gpu, machine.count):
        raise UsageError(
            f"{kind} comes with {machine.count} x {gpu}, got {_shown(accelerator, count)}; "
            "leave out --accelerator and --count, or name another --machine_type"
        )
    return machine


def _n1(kind: str, size: str, accelerator: str, count: int) -> Machine:
    if accelerator != _ON_N1:
        raise UsageError(f"{kind} takes {_ON_N1}, got {accelerator}; name another --machine_type or --accelerator")
    counts = _N1_COUNTS.get(int(size)) if size.isdecimal() else None
    if counts is None:
        raise UsageError(f"{kind} takes no GPU; name another --machine_type, such as n1-standard-8")
    if count not in counts:
        raise UsageError(
            f"{kind} takes {', '.join(map(str, counts))} of {accelerator}, got {count}; "
            "give another --count or --machine_type"
        )
    return Machine(kind, accelerator, count)


def _unknown(config: VertexConfig, kind: str, accelerator: str | None) -> Machine:
    """A machine type that Google may have added. The settings must name its GPUs, or choose a machine without one."""
    if accelerator is not None and config.count is not None:
        return Machine(kind, accelerator, config.count)
    has_gpu = _GPU_IN_NAME.fullmatch(kind) is not None
    if accelerator is None and config.count is None and config.machine == "cpu" and not has_gpu:
        return Machine(kind)
    raise UsageError(
        f"--machine_type {kind} is not known; name its GPUs with --accelerator and --count"
        + ("" if has_gpu else ", or give --machine cpu if it has none")
    )


def _shown(accelerator: str | None, count: int | None) -> str:
    """The GPUs asked for, as the flags give them."""
    return " ".join(
        ([] if accelerator is None else [f"--accelerator {accelerator}"])
        + ([] if count is None else [f"--count {count}"])
    )
