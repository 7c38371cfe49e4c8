"""Counts the planned and the completed trials of a kind of training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.kinds import Kind

Phase = Literal["starting", "training", "saving"]


@dataclass(frozen=True)
class Share:
    """The number of trials planned for a kind.

    Attributes:
        kills: processes ended with SIGKILL.
        terms: processes ended with SIGTERM.
        locks: second trainers that should be refused.
    """

    kills: int
    terms: int
    locks: int


@dataclass
class Tally:
    """The completed trials of a kind.

    Attributes:
        kind: the kind.
        share: the planned trials.
        jobs: the number of jobs that ended like the undisturbed one.
        kills: the number of SIGKILLs before the first save of the process, after it, and during a save, which leaves a file
            half-written or without its partner.
        terms: the number of SIGTERMs that were obeyed.
        slowest: the longest time from a SIGTERM to the end of the process, in seconds.
        locks: the number of second trainers that were refused.
        resumes: the number of processes that resumed from a checkpoint.
        failures: the broken promises, one line each.
    """

    kind: Kind
    share: Share
    jobs: int = 0
    kills: dict[Phase, int] = field(default_factory=lambda: {"starting": 0, "training": 0, "saving": 0})
    terms: int = 0
    slowest: float = 0.0
    locks: int = 0
    resumes: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def left(self) -> Share:
        """The trials that are left."""
        kills = self.share.kills - sum(self.kills.values())
        return Share(kills, self.share.terms - self.terms, self.share.locks - self.locks)

    @property
    def is_done(self) -> bool:
        """Whether no trials are left."""
        return self.left == Share(0, 0, 0)
