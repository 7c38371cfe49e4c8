"""Chooses the device that a run trains on and says what it is; knows nothing of what is trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from textgen.errors import UnavailableError, named
from textgen.model import usable_cores

Device = Literal["auto", "cpu", "gpu"]

_NEEDED_CAPABILITY = {"mixed_float16": (5, 3), "mixed_bfloat16": (8, 0)}
"""The first compute capabilities whose GPUs have such arithmetic (CUDA C++ Programming Guide, "Arithmetic Instructions")."""

_DRIVER = Path("/proc/driver/nvidia/version")
"""What NVIDIA's kernel module says of itself."""


def choose_device(device: Device) -> str:
    """Makes TensorFlow use a kind of device; must come before its first operation.

    Args:
        device: `cpu` hides every GPU, `gpu` wants one, `auto` takes one where there is one.

    Returns:
        What it is, in words.

    Raises:
        UnavailableError: when a GPU is wanted and TensorFlow sees none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    build: Mapping[str, Any] = tf.sysconfig.get_build_info()
    if device == "gpu" and not gpus:
        reason = (
            f"this TensorFlow is built for CUDA {build['cuda_version']}: check the driver, and that tensorflow[and-cuda] is installed"
            if build.get("cuda_version")
            else "this TensorFlow is built without CUDA: install textgen[gpu]"
        )
        raise UnavailableError(
            f"{named('device')} is gpu, and TensorFlow sees none; {reason}, or use {named('device')} auto"
        )
    if device == "cpu":
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:  # TensorFlow has begun: a caller of its own, and not the command
            return "what TensorFlow has begun with"
        gpus = []
    if not gpus:
        cores = usable_cores()
        return f"the CPU, {cores} core{'' if cores == 1 else 's'}"
    return describe_gpus(gpu_details(), build, _read_driver())


def gpu_details() -> list[dict[str, Any]]:
    """What TensorFlow knows of each GPU that it uses."""
    return [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.get_visible_devices("GPU")]


def check_precision(precision: str, details: list[dict[str, Any]]) -> str:
    """Checks that the device can compute in a precision.

    Args:
        precision: `float32`, `mixed_bfloat16` or `mixed_float16`.
        details: of each GPU, see `gpu_details`; empty for a CPU.

    Returns:
        What is to be said of it; empty for nothing.

    Raises:
        UnavailableError: when a GPU has no such arithmetic.
    """
    needed = _NEEDED_CAPABILITY.get(precision)
    if needed is None:
        return ""
    if not details:
        return f"precision {precision} makes a CPU slower; it is for GPUs"
    for gpu in details:
        capability = gpu.get("compute_capability")
        if capability is not None and capability < needed:
            raise UnavailableError(
                f"{named('precision')} is {precision}, which needs a GPU of compute capability {'.'.join(map(str, needed))}, "
                f"and {gpu.get('device_name', 'this one')} has {'.'.join(map(str, capability))}; use {named('precision')} float32"
            )
    return ""


def describe_gpus(details: list[dict[str, Any]], build: Mapping[str, Any], driver: str) -> str:
    """What the GPUs are, in words, such as `1 x NVIDIA L4 (compute capability 8.9), driver 550.54, CUDA 12.5.1, cuDNN 9`.

    Args:
        details: of each, see `gpu_details`.
        build: as `tf.sysconfig.get_build_info` has it.
        driver: what the driver says of itself; may be empty.
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
