"""Divides the joint batch of a step between devices, by arithmetic only."""

from __future__ import annotations

from typing import Literal

from textgen.errors import UsageError, named

Devices = int | Literal["all"] | None
"""The number of devices that a run asks for; None for as many as can share the batch."""


def check_sharing(
    batch_size: int, devices: int = 1, *, processes: int = 1, fewer_devices: str = named("devices")
) -> None:
    """Checks that the devices of all processes can share a batch, each with equally many streams.

    Args:
        batch_size: the number of streams.
        devices: the number of devices of each process.
        processes: the number of processes.
        fewer_devices: the advice to use fewer devices, without their number.

    Raises:
        UsageError: if they cannot.
    """
    if batch_size % processes:
        sharing, fewer = f"workers, {processes}", f"{named('workers')} {most_sharing(batch_size, processes)}"
    elif batch_size % (processes * devices):
        all_devices = f"{devices}" if processes == 1 else f"{devices} in each of {processes} workers"
        sharing, fewer = f"devices, {all_devices}", f"{fewer_devices} {most_sharing(batch_size // processes, devices)}"
    else:
        return
    unit = processes * devices
    raise UsageError(
        f"{named('batch_size')} must be a multiple of the number of {sharing}, got {batch_size}; use "
        f"{named('batch_size')} {-(-batch_size // unit) * unit}, or {fewer}"
    )


def most_sharing(batch_size: int, available: int) -> int:
    """Returns the largest number of devices that can share a batch.

    Args:
        batch_size: the number of streams.
        available: the number of devices at hand, at least 1.
    """
    return max(count for count in range(1, available + 1) if batch_size % count == 0)
