"""Divides trials between kinds, and runs several kinds in parallel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos.kinds import Kind
from tests.chaos.tally import Share, Tally
from tests.chaos.trials import Trials


def run_campaign(
    kinds: Sequence[Kind],
    total: Share,
    place: Path,
    *,
    seed: int,
    workers: int,
    report: Callable[[Tally], None],
) -> list[Tally]:
    """Runs the trials of several kinds.

    Args:
        kinds: the kinds.
        total: the number of trials of all kinds together.
        place: the directory for the jobs, one folder per kind.
        seed: fixes the random choices.
        workers: the number of kinds that run at the same time.
        report: called after each job.

    Returns:
        The tally of each kind.
    """
    shares = zip(*(_spread(count, len(kinds)) for count in (total.kills, total.terms, total.locks)), strict=True)
    trials = [
        Trials(kind, Share(*share), place / kind.name, seed, report) for kind, share in zip(kinds, shares, strict=True)
    ]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(Trials.run, trials))


def _spread(count: int, parts: int) -> list[int]:
    """Divides a count into parts that differ by at most one: 5, 3 -> [2, 2, 1]."""
    return [count // parts + (part < count % parts) for part in range(parts)]
