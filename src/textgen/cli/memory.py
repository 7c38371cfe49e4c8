"""Refuses a run that this machine's memory cannot hold, before anything heavy is loaded."""

from __future__ import annotations

import os

from textgen.errors import UnavailableError, named
from textgen.planning import Plan


def check_memory(plan: Plan) -> None:
    """Compares the estimated memory of a run with that of the machine.

    If the operating system does not report it, nothing is refused.

    Args:
        plan: of the run.

    Raises:
        UnavailableError: when it cannot fit; the message names the settings to lower.
    """
    from rich.filesize import decimal

    there = installed_memory()
    if there is None or plan.memory <= there:
        return
    lower = (
        f"{named('batch_size')} or {named('unroll_steps')}"
        if plan.memory_of_windows > plan.memory_of_weights
        else f"{named('lstm_state_size')}, {named('layers')} or {named('vocab_size')}"
    )
    raise UnavailableError(
        f"training would take about {decimal(plan.memory)} of memory, {decimal(plan.memory_of_weights)} of it for weights and "
        f"{decimal(plan.memory_of_windows)} for windows, and this machine has {decimal(there)}; lower {lower}"
    )


def installed_memory() -> int | None:
    """The bytes of memory in this machine; None if the operating system does not report it, as Windows does not."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
