"""Reads a custom job's id and state, and waits for its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

_ENDS = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0


def id_of(job: Mapping[str, Any]) -> str:
    """Returns a job's id, the number at the end of its name; empty if the name ends in anything else."""
    last = str(job.get("name")).rpartition("/")[2]
    return last if last.isascii() and last.isdecimal() else ""


def state_of(job: Mapping[str, Any]) -> str:
    """Returns a job's state without its prefix, such as `RUNNING`."""
    return str(job.get("state", "UNSPECIFIED")).removeprefix("JOB_STATE_")


def has_ended(job: Mapping[str, Any]) -> bool:
    """Whether a job's state is final."""
    return state_of(job) in _ENDS


def wait_for_end(get: Callable[[], Mapping[str, Any]], changed: Callable[[str], None]) -> Mapping[str, Any]:
    """Waits until a job has ended, asking less and less often while nothing changes.

    Args:
        get: returns the job in its current state.
        changed: called with each new state.

    Returns:
        The job in its final state.
    """
    state, pause = "", _FIRST_PAUSE_SECONDS
    while True:
        job = get()
        if state_of(job) != state:
            state, pause = state_of(job), _FIRST_PAUSE_SECONDS
            changed(state)
        if has_ended(job):
            return job
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
