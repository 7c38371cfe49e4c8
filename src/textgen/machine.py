"""What the machine offers to this process."""

from __future__ import annotations

import os
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")


def available_cores() -> int:
    """Returns the number of cores that this process may use. A core that runs two threads at once counts twice."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def physical_cores() -> list[list[int]]:
    """Returns the cores that this process may use, each with the numbers of its threads, of which there are often two.

    Outside Linux, each thread counts as a core of its own, as on Apple silicon.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [[number] for number in range(available_cores())]
    cores: dict[str, list[int]] = {}
    for number in sorted(os.sched_getaffinity(0)):
        cores.setdefault(_siblings(number), []).append(number)
    return list(cores.values())


def _siblings(number: int) -> str:
    """The threads of the core that has a thread, as Linux lists them; the thread alone if that is not known."""
    try:
        return (_TOPOLOGY / f"cpu{number}/topology/thread_siblings_list").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return f"{number}"
