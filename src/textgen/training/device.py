"""Chooses the device to train on, and describes it."""

from __future__ import annotations

import contextlib
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import tensorflow as tf

from textgen.errors import UnavailableError, named
from textgen.formatting import count as counted
from textgen.model import usable_cores
from textgen.planning import Devices, check_sharing, most_sharing
from textgen.version import __version__

Device = Literal["auto", "cpu", "gpu"]

_NEEDED_CAPABILITY = {"mixed_float16": (5, 3), "mixed_bfloat16": (8, 0)}
"""The lowest compute capability that supports a precision (CUDA C++ Programming Guide, "Arithmetic Instructions")."""

_DRIVER = Path("/proc/driver/nvidia/version")
"""The version of NVIDIA's kernel module."""


def choose_device(device: Device) -> str:
    """Makes TensorFlow use a kind of device; must be called before its first operation.

    Args:
        device: `cpu` hides every GPU, `gpu` requires one, `auto` uses a GPU if there is one.

    Returns:
        A description of the device.

    Raises:
        UnavailableError: if a GPU is required and TensorFlow finds none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    build: Mapping[str, Any] = tf.sysconfig.get_build_info()
    if device == "gpu" and not gpus:
        version = build.get("cuda_version")
        driver = "check NVIDIA's driver, and " if version else ""
        built = f"for CUDA {version}" if version else "without CUDA"
        reason = f"this TensorFlow is built {built}: {driver}run pip install '.[gpu]' in the clone of textgen"
        raise UnavailableError(
            f"{named('device')} gpu needs a GPU, and TensorFlow finds none; {reason}, or use {named('device')} auto"
        )
    if device == "cpu":
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:  # a Python caller has used TensorFlow before
            return "the device that TensorFlow was initialised with"
        gpus = []
    if not gpus:
        cores = usable_cores()
        return f"the CPU, {cores} core{'' if cores == 1 else 's'}"
    return describe_gpus(gpu_details(), build, _read_driver())


def describe_machine(device: str) -> str:
    """Describes the machine and the programs that train, such as `the CPU, 2 cores; Linux x86_64; Python 3.12.1, TensorFlow 2.21.0`.

    Args:
        device: the result of `choose_device`.
    """
    versions = {
        "Python": platform.python_version(),
        "TensorFlow": tf.__version__,
        "Keras": keras.__version__,
        "textgen": __version__,
    }
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{device}; {platform.system()} {platform.machine()}; {programs}"


def choose_count(devices: Devices, batch_size: int, *, processes: int = 1) -> tuple[int, str]:
    """Chooses the number of devices of this process to train on, and hides other GPUs; must be called before TensorFlow's first operation.

    A CPU is one device, unless it was split into virtual ones, as tests do.

    Args:
        devices: the number that the run asks for; None for the largest number that can share the batch.
        batch_size: the number of streams of all processes.
        processes: the number of processes, which share them equally.

    Returns:
        The number, and a remark about how the batch is shared, or about idle GPUs; it may be empty.

    Raises:
        UnavailableError: if there are fewer devices.
        UsageError: if they cannot share the batch.
    """
    gpus = tf.config.get_visible_devices("GPU")
    [cpu] = tf.config.list_physical_devices("CPU")
    available = len(gpus) or len(tf.config.get_logical_device_configuration(cpu) or [cpu])
    most = most_sharing(batch_size // processes, available)
    chosen = most if devices is None else available if devices == "all" else devices
    if chosen > available:
        kind = counted(available, "GPU") if gpus else "no GPU, and the cores of a CPU are one device"
        raise UnavailableError(
            f"{named('devices')} must be at most {available}, got {chosen}: TensorFlow finds {kind}; use {named('devices')} all, or leave it out"
        )
    check_sharing(batch_size, chosen, processes=processes)
    with contextlib.suppress(RuntimeError):  # a Python caller has used TensorFlow before
        tf.config.set_visible_devices(gpus[:chosen], "GPU")
    if devices is None and chosen < available:
        unit = available * processes
        return chosen, (
            f"{chosen} of {available} GPUs train, because no more of them can share the {batch_size} streams of a step equally; "
            f"{named('batch_size')} {-(-batch_size // unit) * unit} uses all"
        )
    if chosen == 1:
        return chosen, ""
    each = "" if processes == 1 else f" in each of {processes} workers"
    return chosen, f"{chosen} devices{each} share the {batch_size} streams of each step"


def gpu_details() -> list[dict[str, Any]]:
    """Returns TensorFlow's details of each GPU that it uses."""
    return [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.get_visible_devices("GPU")]


def check_precision(precision: str, details: list[dict[str, Any]]) -> str:
    """Checks that the device supports a precision.

    Args:
        precision: `float32`, `mixed_bfloat16` or `mixed_float16`.
        details: the details of each GPU, see `gpu_details`; empty for a CPU.

    Returns:
        A warning to show, or an empty string.

    Raises:
        UnavailableError: if a GPU does not support it.
    """
    needed = _NEEDED_CAPABILITY.get(precision)
    if needed is None:
        return ""
    if not details:
        return f"precision {precision} makes training on a CPU slower; it is meant for GPUs"
    for gpu in details:
        capability = gpu.get("compute_capability")
        if capability is not None and capability < needed:
            raise UnavailableError(
                f"{named('precision')} is {precision}, which needs a GPU of compute capability {'.'.join(map(str, needed))}, "
                f"and {gpu.get('device_name', 'this one')} has {'.'.join(map(str, capability))}; use {named('precision')} float32"
            )
    return ""


def describe_gpus(details: list[dict[str, Any]], build: Mapping[str, Any], driver: str) -> str:
    """Describes the GPUs, such as `1 x NVIDIA L4 (compute capability 8.9), driver 550.54, CUDA 12.5.1, cuDNN 9`.

    Args:
        details: the details of each GPU, see `gpu_details`.
        build: the result of `tf.sysconfig.get_build_info`.
        driver: the driver's version text; may be empty.
    """
    first = details[0]
    capability = ".".join(map(str, first.get("compute_capability") or ("unknown",)))
    version = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)", driver)
    return (
        f"{len(details)} x {first.get('device_name', 'GPU')} (compute capability {capability}), "
        f"driver {version[1] if version else 'unknown'}, CUDA {build.get('cuda_version', 'unknown')}, "
        f"cuDNN {build.get('cudnn_version', 'unknown')}"
    )


def _read_driver() -> str:
    try:
        return _DRIVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
