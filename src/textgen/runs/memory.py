"""Refuses a run that needs more memory than is installed or allowed, before TensorFlow is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from textgen.errors import UnavailableError, named
from textgen.planning import Plan


def check_memory(plan: Plan) -> None:
    """Checks that the estimated memory of a run fits into the machine, and into the limit of its container.

    If the operating system reports neither, nothing is refused.

    Args:
        plan: the plan of the run.

    Raises:
        UnavailableError: if the run does not fit; the message names the settings to lower.
    """
    from rich.filesize import decimal

    known = {"machine": installed_memory(), "container": container_memory()}
    least = min(((size, owner) for owner, size in known.items() if size is not None), default=None)
    if least is None or plan.memory <= least[0]:
        return
    available, owner = least
    lower = (
        f"{named('batch_size')} or {named('unroll_steps')}"
        if plan.memory_of_windows > plan.memory_of_weights
        else f"{named('lstm_state_size')}, {named('layers')} or {named('vocab_size')}"
    )
    raise UnavailableError(
        f"training needs about {decimal(plan.memory)} of memory, {decimal(plan.memory_of_weights)} of it for weights and "
        f"{decimal(plan.memory_of_windows)} for windows, but this {owner} has only {decimal(available)}; lower {lower}"
    )


def installed_memory() -> int | None:
    """Returns the bytes of memory in this machine; None if the operating system does not report them, as on Windows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def container_memory(root: Path = Path("/")) -> int | None:
    """Returns the bytes of memory that Linux control groups allow this process; None if they set no limit.

    The limits of a group's parents apply too. In a container, the group of the process may be visible only as the root of
    the groups, not under the name that the kernel gives. See the kernel's documentation, "Control Group v2" and "Memory Resource Controller".

    Args:
        root: the root of the file system.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    limits: list[int | None] = []
    for line in lines:
        controllers, _, group = line.partition(":")[2].partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = top / group.strip("/")
        limits += [_read_number(place / name) for place in (own, *own.parents) if place.is_relative_to(top)]
    return min((limit for limit in limits if limit is not None), default=None)


def _read_number(path: Path) -> int | None:
    """Returns the number in a file; None if there is none, such as in `max`, which means no limit."""
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
