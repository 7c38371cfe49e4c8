"""Divides the joint batch of a step between devices, by arithmetic only."""

from __future__ import annotations

from typing import Literal

from textgen.errors import UsageError, named

Devices = int | Literal["all"] | None
"""The number of devices that a run asks for; None for as many as can share the batch."""


def check_sharing(batch_size: int, devices: int, *, fewer: str = named("devices")) -> None:
    """Checks that devices can share a batch, each with equally many streams.

    Args:
        batch_size: the number of streams.
        devices: the number of devices.
        fewer: the advice to use fewer devices, without their number.

    Raises:
        UsageError: if they cannot.
    """
    if batch_size % devices:
        raise UsageError(
            f"{named('batch_size')} must be a multiple of the number of devices, {devices}, got {batch_size}; use "
            f"{named('batch_size')} {-(-batch_size // devices) * devices}, or {fewer} {most_sharing(batch_size, devices)}"
        )


def most_sharing(batch_size: int, available: int) -> int:
    """Returns the largest number of devices that can share a batch.

    Args:
        batch_size: the number of streams.
        available: the number of devices at hand, at least 1.
    """
    return max(count for count in range(1, available + 1) if batch_size % count == 0)
