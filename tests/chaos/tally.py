"""Counts what a kind of training is to endure, and what it has endured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.kinds import Kind

Phase = Literal["starting", "training", "saving"]


@dataclass(frozen=True)
class Share:
    """How much a kind is to endure.

    Attributes:
        kills: processes ended with SIGKILL.
        terms: processes ended with SIGTERM.
        locks: second trainers that are to be turned away.
    """

    kills: int
    terms: int
    locks: int


@dataclass
class Tally:
    """What a kind has endured.

    Attributes:
        kind: which.
        share: how much it is to be.
        jobs: those that came to the same end as the undisturbed one.
        kills: SIGKILLs by where they fell: before the process first saved, later, or so that a file stayed half-written
            or without its partner.
        terms: SIGTERMs that were obeyed.
        slowest: the longest time from one of these to the end, in seconds.
        locks: second trainers that were turned away.
        resumes: processes that went on from a checkpoint.
        failures: what was not as promised, a line each.
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
        """How much is to come."""
        kills = self.share.kills - sum(self.kills.values())
        return Share(kills, self.share.terms - self.terms, self.share.locks - self.locks)

    @property
    def is_done(self) -> bool:
        """Whether that is nothing."""
        return self.left == Share(0, 0, 0)
