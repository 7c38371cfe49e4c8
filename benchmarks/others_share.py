"""Measures how much processor time a program took, and which share of the cores other programs took meanwhile."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def watch(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Calls a function and adds what it cost to its result.

    `wall_seconds` and `cpu_seconds` include start-up and evaluation. `others` is the share of all cores that other programs took; it is
    None where `/proc/stat` does not exist.
    """
    wall, own, busy = time.perf_counter(), own_seconds(), busy_seconds()
    result = function()
    wall, own = time.perf_counter() - wall, own_seconds() - own
    after = busy_seconds()
    others = None if busy is None or after is None else (after - busy - own) / wall / (os.cpu_count() or 1)
    return {
        **result,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(own, 1),
        "others": None if others is None else round(max(0.0, others), 4),
    }


def own_seconds() -> float:
    """Returns the processor time of this process and of those that it has started."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def busy_seconds() -> float | None:
    """Returns the processor time of everything on the machine, and the time that it had to wait for the host; None if not known."""
    try:
        user, nice, system, _, _, *others = (
            Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        )
    except FileNotFoundError:
        return None
    return sum(map(int, (user, nice, system, *others))) / os.sysconf("SC_CLK_TCK")
