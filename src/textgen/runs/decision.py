"""Decides which job a run is for."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgen.config import PLACEHOLDER, TrainingConfig, with_job_name
from textgen.corpus import Corpus, make_tokenizer
from textgen.errors import TextgenError, named
from textgen.jobs import JobDirectory, JobPlace, JobState, read_config
from textgen.planning import SHAPE_SETTINGS, Choice, can_choose, shape_values
from textgen.runs.automatic import complete, keep_choice, other_models, with_settings
from textgen.runs.base_or_scratch import choose_start
from textgen.runs.existing_job import START_OVER, notes_start
from textgen.runs.init_from import (
    AUTO,
    Start,
    check_other_job,
    check_start,
    kept_start,
    open_start,
    take_shape,
)
from textgen.runs.open_text import decide_unwrapping
from textgen.runs.places import find_places
from textgen.runs.request import Request
from textgen.storage import BASE


@dataclass(frozen=True)
class Decision:
    """A job, which may exist.

    Attributes:
        config: the settings.
        choices: the settings that were chosen automatically.
        start: what training starts from; for an existing job, without the model.
        place: the place of the job.
        summaries: the directory of TensorBoard's files; None if that is in the job's own directory.
        job: the job as it is now, for reading only.
        remark: a line that explains why this job is used, or names another one; empty if neither is needed.
        replaced: the place of the job that would be resumed without `fresh`; None without `fresh`, or if there is none.
    """

    config: TrainingConfig
    choices: tuple[Choice, ...]
    start: Start
    place: JobPlace
    summaries: str | None
    job: JobDirectory
    remark: str = ""
    replaced: JobPlace | None = None


def decide(
    request: Request,
    corpus: Corpus,
    worker: str | None = None,
    *,
    start: Start | None = None,
    look: Callable[[JobPlace], JobDirectory] = lambda place: place.look(),
) -> Decision:
    """Decides which job a run is for.

    Args:
        request: the request for the run.
        corpus: the text.
        worker: see `job_place`.
        start: the model that `init_from` names; None if it is not opened yet.
        look: returns the job at a place, as it is now.

    Raises:
        TextgenError: if the job cannot be read, or it or the model that it starts from does not suit the request.
    """
    return _Decider(request, corpus, worker, start, look).decide()


def _find_base(config: TrainingConfig) -> Start | None:
    """Returns the base model; None for a run whose tokens are not characters."""
    return open_start(BASE) if make_tokenizer(config.language_model).one_character else None


@dataclass(frozen=True)
class _Decider:
    """The arguments of `decide`."""

    request: Request
    corpus: Corpus
    worker: str | None
    start: Start | None
    look: Callable[[JobPlace], JobDirectory]

    @property
    def config(self) -> TrainingConfig:
        return self.request.config

    @property
    def is_fresh(self) -> bool:
        return self.request.command.fresh

    def decide(self) -> Decision:
        if PLACEHOLDER not in self.config.job_dir:
            return self._in_named_directory()
        if self.config.init_from == AUTO:
            return self._of_any_name()
        return self._resumed_if_exists(self._started(self._named_start()))

    def _with(self, config: TrainingConfig) -> Request:
        """Returns the request with other settings."""
        return dataclasses.replace(self.request, config=config)

    def _named_start(self) -> Start:
        """Returns the model that `init_from` names."""
        return open_start(self.config.init_from) if self.start is None else self.start

    def _new_start(self) -> Start:
        """Decides what a new job starts from."""
        if self.config.init_from != AUTO:
            return self._named_start()
        minutes = self.request.minutes_to_choose_for
        base = _find_base(self.config)
        return (
            Start()
            if minutes is None or base is None
            else choose_start(base, self.corpus, minutes, self.request.device)
        )

    def _in_named_directory(self) -> Decision:
        """Returns the job in a directory whose name does not depend on the model."""
        place, _ = find_places(self.config, self.corpus.prefix, self.worker)
        job = self.look(place)
        if not job.exists or self.is_fresh:
            return self._started(self._new_start())
        check_other_job(self.config.init_from, job)
        before = read_config(job.config, START_OVER)
        config = dataclasses.replace(self.config, init_from=kept_start(job, before, self.config.init_from))
        if config.is_started:
            config = self._with_shape(config, before)
        config, _ = complete(self._with(config), self.corpus)
        return self._placed(keep_choice(self._with(config), job), (), Start(config.init_from))

    def _of_any_name(self) -> Decision:
        """Returns the existing job of this text, or else the new one that suits the time best."""
        scratch = self._started(Start())
        minutes = self.request.minutes_to_choose_for
        if minutes is None:
            return self._resumed_if_exists(scratch)
        base = _find_base(self.config)
        started = None if base is None else self._started(base)

        def choose_new() -> Decision:
            if base is None or started is None:
                return scratch
            start = choose_start(base, self.corpus, minutes, self.request.device)
            return dataclasses.replace(scratch if start.model is None else started, start=start)

        resumed = self._find_existing([scratch] if started is None else [scratch, started], choose_new)
        if resumed is not None and not self.is_fresh:
            return resumed
        new = choose_new()
        if resumed is not None:
            return dataclasses.replace(new, replaced=resumed.place)
        return dataclasses.replace(new, remark=other_models(new.config, new.job, self.corpus.prefix))

    def _find_existing(self, candidates: Sequence[Decision], choose_new: Callable[[], Decision]) -> Decision | None:
        """Returns the existing job that the command resumes. A job of another text comes last: it is refused later, or keeps its vocabulary.

        Args:
            candidates: the jobs that the command could be for, the one from scratch first.
            choose_new: returns the candidate that a new job would be.
        """
        there = [candidate for candidate in candidates if candidate.job.exists]
        same = [candidate for candidate in there if self._has_this_text(candidate.job)]
        if same:
            known = same[0]
            # The job that earlier versions would have made comes first, then the one that a new job would be.
            if str(same[-1].job) != str(known.job) and notes_start(known.job.config):
                known = choose_new()
            resumed = self._resumed(known)
            has_other_shape = not resumed.config.is_started and str(known.job) != str(candidates[0].job)
            return _explained(resumed) if has_other_shape else resumed
        shapes = [shape for candidate in candidates if (shape := candidate.start.shape) is not None]
        other = next(self._others(candidates[0], shapes), None)
        return self._resumed(there[0]) if other is None and there else other

    def _started(self, start: Start) -> Decision:
        """Returns the job that starts in a given way."""
        config = take_shape(start, self.config, self.request.given)
        config, choices = complete(self._with(config), self.corpus, started=start.shape)
        decision = self._placed(config, choices, start)
        if self.config.init_from != AUTO:
            check_other_job(start.init_from, decision.job)
            check_start(start, config, self.corpus)
        return decision

    def _placed(self, config: TrainingConfig, choices: tuple[Choice, ...], start: Start) -> Decision:
        place, summaries = find_places(config, self.corpus.prefix, self.worker)
        return Decision(config, choices, start, place, summaries, self.look(place))

    def _resumed_if_exists(self, decision: Decision) -> Decision:
        return self._resumed(decision) if decision.job.exists and not self.is_fresh else decision

    def _resumed(self, decision: Decision) -> Decision:
        """Returns an existing job with its own start and its own chosen settings."""
        before = read_config(decision.job.config, START_OVER)
        config = dataclasses.replace(decision.config, init_from=kept_start(decision.job, before, self.config.init_from))
        config = keep_choice(self._with(config), decision.job)
        return dataclasses.replace(decision, config=config, choices=(), start=Start(config.init_from))

    def _with_shape(self, config: TrainingConfig, before: TrainingConfig) -> TrainingConfig:
        """Returns the settings with the shape of a job's model, as far as it was not given."""
        return with_settings(config, before, (name for name in SHAPE_SETTINGS if name not in self.request.given))

    def _has_this_text(self, job: JobDirectory) -> bool:
        state = JobState.find(job.state)
        if state is None or state.data_sha256 == self.corpus.sha256:
            return True
        _, corpus = decide_unwrapping(self.config, self.corpus, job)
        return state.data_sha256 == corpus.sha256

    def _others(self, decision: Decision, shapes: Sequence[Mapping[str, Any]]) -> Iterator[Decision]:
        """Yields the jobs of this text whose model would be chosen for another time.

        Args:
            decision: the job that starts from scratch.
            shapes: the shapes of the models that training could start from.
        """
        if decision.job.uri is not None:
            return
        names = with_job_name(glob.escape(self.config.job_dir), f"{glob.escape(self.corpus.prefix)}-*")
        for directory in sorted(map(Path, glob.glob(names))):  # noqa: PTH207 - the pattern may be absolute
            job = JobDirectory(directory)
            try:
                if not job.exists or not job.state.exists() or not self._has_this_text(job):
                    continue
                before = read_config(job.config, "")
            except TextgenError:
                continue
            shape = shape_values(before)
            if shape not in shapes and not can_choose(shape, self.config.language_model):
                continue
            other = self._placed(self._with_shape(decision.config, before), (), Start())
            if other.job.root == directory:
                yield _explained(self._resumed(other))


def _explained(resumed: Decision) -> Decision:
    """Adds a remark to an existing job whose model would not be chosen for this time."""
    return dataclasses.replace(
        resumed,
        remark=f"Resuming {resumed.job}, which already has a model of this text; use {named('fresh')} to start over with the model for this time",
    )
