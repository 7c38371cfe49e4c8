"""Interrupts jobs of one kind until its trials are done, and compares their results."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.chaos.kinds import TEXT, Kind
from tests.chaos.outcome import Outcome, half_made, newest_step
from tests.chaos.tally import Phase, Share, Tally
from tests.chaos.trainer import Trainer
from textgen.errors import LockedError, StoppedError
from textgen.jobs import JobDirectory

MOST_INTERRUPTIONS = 8
"""The most interruptions of a job; then it is trained to its end."""

MOST_FAILURES = 3
"""The most failures of a kind; more would add nothing."""

_ANYWHERE, _WHILE_SAVING = 0.15, 0.35
"""The share of the kills at any moment of the process, and of those that wait for a half-written checkpoint."""

_LONGEST_TRAINING = 0.25
"""The largest share of a job's training before a process is killed."""

_LONGEST_BETWEEN_TRAINERS = 0.4
"""The longest wait before a second trainer is started, while the first still trains, as a share of the time until its first
save."""


class BrokenPromiseError(Exception):
    """A job did not behave as promised."""


class Trials:
    """The trials of a kind.

    Args:
        kind: the kind.
        share: the planned trials.
        place: the directory for its jobs; those that end as promised are removed.
        seed: fixes the random choices.
        report: called after each job.
    """

    def __init__(self, kind: Kind, share: Share, place: Path, seed: int, report: Callable[[Tally], None]) -> None:
        self._kind = kind
        self._place = place
        self._rng = np.random.default_rng([seed, kind.number])
        self._report = report
        self._tally = Tally(kind, share)
        self._history: list[str] = []

    def run(self) -> Tally:
        """Trains one job undisturbed, then others until the trials are done or too many have failed."""
        self._place.mkdir(parents=True)
        self._text.write_text(TEXT, encoding="utf-8")
        number = 0
        goes_on = self._attempt("undisturbed", self._make_reference)
        while goes_on and not self._tally.is_done:
            number += 1
            self._attempt(f"job-{number}", self._make_job)
            goes_on = len(self._tally.failures) < MOST_FAILURES
        return self._tally

    def _attempt(self, name: str, make: Callable[[JobDirectory], None]) -> bool:
        """Runs a job; returns whether it behaved as promised."""
        self._history.clear()
        failures = self._tally.failures
        before = len(failures)
        try:
            make(JobDirectory(self._place / name))
        except (BrokenPromiseError, OSError) as error:
            failures.append(f"{self._kind.name}/{name}: {', '.join([*self._history, str(error)])}")
        self._report(self._tally)
        return len(failures) == before

    def _make_reference(self, job: JobDirectory) -> None:
        """Trains undisturbed, and measures the time."""
        with self._start(job) as trainer:
            trainer.wait_until(lambda: trainer.has_saved)
            self._until_first_save = trainer.seconds
            self._leave_to_its_end(trainer)
            self._lifetime = trainer.seconds
        self._after_first_save = self._lifetime - self._until_first_save
        self._reference = Outcome.of(job)

    def _make_job(self, job: JobDirectory) -> None:
        """Interrupts a job a few times, trains it to its end, and compares the results."""
        ended = False
        least = 0 if self._tally.left.locks else 2  # 0: two trainers may race for a new directory
        for _ in range(self._rng.integers(least, MOST_INTERRUPTIONS, endpoint=True)):
            left = self._tally.left
            if ended or left.kills + left.terms == 0:
                break
            ended = (
                self._kill(job) if self._rng.integers(left.kills + left.terms) < left.kills else self._terminate(job)
            )
        if not ended:
            self._finish(job)
        if stray := half_made(job):
            raise BrokenPromiseError(f"its end leaves {', '.join(sorted(stray))}")
        if differing := Outcome.of(job).differences(self._reference):
            raise BrokenPromiseError(f"it differs from the undisturbed job in {', '.join(differing)}")
        self._tally.jobs += 1
        shutil.rmtree(job.root)

    def _kill(self, job: JobDirectory) -> bool:
        """Kills a process at a random moment; returns whether the job had already ended."""
        half_made_before, step_before = half_made(job), newest_step(job)
        with self._start(job) as trainer:
            draw = self._rng.random()
            if draw < _ANYWHERE:
                trainer.wait_for(self._rng.uniform(0, self._lifetime))
            else:
                trainer.wait_until(lambda: trainer.has_saved)
                trainer.wait_for(self._rng.uniform(0, self._after_first_save * _LONGEST_TRAINING))
            if draw > 1 - _WHILE_SAVING:
                trainer.wait_until(lambda: trainer.is_saving, pause=0)
            code = trainer.end(signal.SIGKILL)
            self._check_resumed(trainer, step_before)
            if code == 0:
                return True
            if code != -signal.SIGKILL:
                raise BrokenPromiseError(f"exit code {code}: {trainer.last_line}")
            stray = half_made(job) - half_made_before
            phase: Phase = "saving" if stray else "training" if trainer.has_saved else "starting"
        self._tally.kills[phase] += 1
        self._history.append(f"killed while {phase} at step {newest_step(job)}")
        return False

    def _terminate(self, job: JobDirectory) -> bool:
        """Sends SIGTERM to a process at a random moment; returns whether the job had already ended."""
        half_made_before, step_before = half_made(job), newest_step(job)
        with self._start(job) as trainer:
            trainer.wait_for(self._rng.uniform(0, self._lifetime))
            sent = trainer.seconds
            code = trainer.end(signal.SIGTERM)
            took = trainer.seconds - sent
            self._check_resumed(trainer, step_before)
            if code == 0:
                return True
            if code == -signal.SIGTERM and not trainer.output and not trainer.has_lock:
                return False  # before the command handles signals; another trial follows
            if code != StoppedError.exit_code:
                raise BrokenPromiseError(f"SIGTERM after {sent:.2f} s, exit code {code}: {trainer.last_line}")
        if stray := half_made(job) - half_made_before:
            raise BrokenPromiseError(f"SIGTERM after {sent:.2f} s leaves {', '.join(sorted(stray))}")
        self._tally.terms += 1
        self._tally.slowest = max(self._tally.slowest, took)
        self._history.append(f"terminated after {sent:.2f} s at step {newest_step(job)}")
        return False

    def _finish(self, job: JobDirectory) -> None:
        """Trains to the end; a second trainer is refused meanwhile, if such trials are left."""
        step_before = newest_step(job)
        with contextlib.ExitStack() as processes:
            trainer = processes.enter_context(self._start(job))
            # A job killed between its last save and its end has nothing left to do, and releases the lock at once.
            if self._tally.left.locks and step_before != self._reference.checkpoint_step:
                at_once = (self._tally.locks + self._kind.number) % 2 == 0
                if not at_once:
                    trainer.wait_until(lambda: trainer.has_lock)
                    trainer.wait_for(self._rng.uniform(0, self._until_first_save * _LONGEST_BETWEEN_TRAINERS))
                second = processes.enter_context(self._start(job))
                trainer.wait_until(lambda: second.has_ended)
                trainer, loser = (second, trainer) if at_once and trainer.has_ended else (trainer, second)
                self._check_turned_away(loser, trainer)
            self._leave_to_its_end(trainer)
            self._check_resumed(trainer, step_before)

    def _leave_to_its_end(self, trainer: Trainer) -> None:
        if code := trainer.end():
            raise BrokenPromiseError(f"exit code {code}: {trainer.last_line}")

    def _check_turned_away(self, loser: Trainer, winner: Trainer) -> None:
        """Checks that a second trainer was refused, and named the first."""
        code = loser.end()
        if code != LockedError.exit_code or f"process {winner.pid} on " not in loser.output:
            raise BrokenPromiseError(f"a trainer beside {winner.pid} got exit code {code}: {loser.last_line}")
        self._tally.locks += 1

    def _check_resumed(self, trainer: Trainer, step_before: int | None) -> None:
        """Checks that a process resumed from the newest checkpoint, if it got that far, and that a checkpoint is left."""
        found = re.search(r"^Resuming from step (\d+)", trainer.output, re.MULTILINE)
        if found is None and step_before is not None and trainer.has_saved:
            raise BrokenPromiseError(f"it did not go on from step {step_before}")
        if found is not None:
            if int(found[1]) != step_before:
                raise BrokenPromiseError(f"it went on from step {found[1]} and not from {step_before}")
            self._tally.resumes += 1
        if (newest_step(trainer.job) or 0) < (step_before or 0):
            raise BrokenPromiseError(f"the checkpoint of step {step_before} is gone, and there is no later one")
        if "Traceback" in trainer.output:
            raise BrokenPromiseError(f"it shows a traceback: {trainer.last_line}")

    def _start(self, job: JobDirectory) -> Trainer:
        return Trainer(job, [str(self._text), *self._kind.arguments], {"TEXTGEN_CACHE": str(self._place / "cache")})

    @property
    def _text(self) -> Path:
        return self._place / "story.txt"
