"""Compares jobs: what each one is, how good its model is, in which settings they differ, and whether they may be ranked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgen.config import TrainingConfig, settings
from textgen.corpus import Vocabulary
from textgen.errors import FormatError
from textgen.formatting import percent
from textgen.jobs import JobDirectory, JobState, best_evaluation, finite_number, job_facts, read_config, read_metrics
from textgen.planning import ModelShape
from textgen.runs.existing_job import read_vocabulary
from textgen.storage import BucketDirectory, below

_LEFT_OUT = {"texts", "data_dir", "data_prefix"}
_COMPARED = tuple(
    setting.name
    for setting in settings(TrainingConfig)
    if setting.name not in _LEFT_OUT and setting.option.group != "places"
)
"""The settings that are compared: all that do not name files or directories."""


@dataclass(frozen=True)
class ComparedJob:
    """The facts of a job that are compared.

    Attributes:
        job_dir: the job directory or its URI.
        state: as in `JobFacts`.
        config: the settings of the last run.
        data: the names of the text files, or of the corpus.
        parameters: the number of weights; None while the job has no vocabulary.
        steps: as in `JobFacts`.
        minutes: as in `JobFacts`.
        valid_loss: as in `JobFacts`.
        valid_bits_per_character: as in `JobFacts`.
        valid_unknown_share: as in `JobFacts`.
        tokens_per_second: the median speed of training over all evaluations; None before the first.
        bytes: the size of all files.
        valid_sha256: the hash of the validation text; None if an earlier version of textgen evaluated the job.
        data_sha256: the hash of the whole text and its split, from which the validation text follows; empty if it is unknown.
        vocabulary_sha256: the hash of the vocabulary; empty while there is none.
    """

    job_dir: str
    state: str
    config: TrainingConfig
    data: str
    parameters: int | None
    steps: int
    minutes: float
    valid_loss: float | None
    valid_bits_per_character: float | None
    valid_unknown_share: float | None
    tokens_per_second: float | None
    bytes: int
    valid_sha256: str | None
    data_sha256: str
    vocabulary_sha256: str


@dataclass(frozen=True)
class Comparison:
    """Several jobs, and whether they are ranked.

    Attributes:
        jobs: the jobs. If they are ranked, the one with the fewest bits per character comes first, and jobs without an evaluation
            come last; otherwise they are in the given order.
        differing: the names of the settings in which they differ.
        problem: why they are not ranked; empty if they are.
    """

    jobs: Sequence[ComparedJob]
    differing: Sequence[str]
    problem: str

    def rank(self, job: ComparedJob) -> int | None:
        """Returns the rank of a job, from 1; None for a job that has none."""
        return None if self.problem or job.valid_bits_per_character is None else self.jobs.index(job) + 1

    def settings_of(self, job: ComparedJob) -> dict[str, Any]:
        """Returns the settings of a job in which the jobs differ."""
        return {name: getattr(job.config, name) for name in self.differing}


def compare_jobs(given: Iterable[ComparedJob]) -> Comparison:
    """Compares jobs, and ranks them if their bits per character are comparable."""
    jobs = list(given)
    differing = [name for name in _COMPARED if len({getattr(job.config, name) for job in jobs}) > 1]
    problem = _find_problem([job for job in jobs if job.valid_bits_per_character is not None])
    if not problem:
        jobs.sort(key=lambda job: math.inf if job.valid_bits_per_character is None else job.valid_bits_per_character)
    return Comparison(jobs, differing, problem)


def read_compared(job: JobDirectory) -> ComparedJob:
    """Reads the facts of a job.

    Raises:
        FormatError: if a file is damaged.
        TextgenError: if a file cannot be read.
    """
    evaluations = read_metrics(job.metrics)
    facts = job_facts(job, evaluations)
    if facts.problem is not None:
        raise FormatError(f"cannot compare {job}: {facts.problem}")
    config = read_config(job.config, "leave this job out")
    state = JobState.find(job.state) or JobState("stopped")
    vocabulary = _find_vocabulary(job)
    valid_sha256 = best_evaluation(evaluations).get("valid_sha256")
    found = [finite_number(values, "tokens_per_second") for values in evaluations]
    speeds = [speed for speed in found if speed is not None]
    return ComparedJob(
        job_dir=str(job),
        state=facts.state,
        config=config,
        data=_name_data(config),
        parameters=None if vocabulary is None else ModelShape.of(vars(config), vocabulary.size).parameters,
        steps=facts.steps,
        minutes=facts.minutes,
        valid_loss=facts.valid_loss,
        valid_bits_per_character=facts.valid_bits_per_character,
        valid_unknown_share=facts.valid_unknown_share,
        tokens_per_second=statistics.median(speeds) if speeds else None,
        bytes=facts.bytes if job.uri is None else _size_in_bucket(job.uri),
        valid_sha256=None if valid_sha256 is None else str(valid_sha256),
        data_sha256=state.data_sha256,
        vocabulary_sha256="" if vocabulary is None else vocabulary.sha256,
    )


def _find_problem(jobs: Sequence[ComparedJob]) -> str:
    """Returns why the bits per character of jobs are not comparable; empty if they are."""
    valid_of = {job.data_sha256: job.valid_sha256 for job in jobs if job.valid_sha256}

    def text(job: ComparedJob) -> str:
        return job.valid_sha256 or valid_of.get(job.data_sha256) or job.data_sha256 or job.job_dir

    def hidden(job: ComparedJob) -> str:
        return (job.vocabulary_sha256 or job.job_dir) if job.valid_unknown_share else ""

    if len(groups := _grouped(jobs, text)) > 1:
        return f"their validation texts differ: {'; '.join(', '.join(group) for group in groups.values())}"
    if len(groups := _grouped(jobs, lambda job: job.config.lowercase)) > 1:
        return f"only some read the text in lower case, which is easier to predict: {', '.join(groups[True])}"
    if len(_grouped(jobs, hidden)) > 1:
        shares = [f"{percent(job.valid_unknown_share)} in {job.job_dir}" for job in jobs if job.valid_unknown_share]
        return f"their vocabularies differ, and some tokens of the validation text are [UNK]: {', '.join(shares)}"
    return ""


def _grouped(jobs: Iterable[ComparedJob], key: Callable[[ComparedJob], Hashable]) -> dict[Hashable, list[str]]:
    """Returns the directories of jobs by a key."""
    groups: dict[Hashable, list[str]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job.job_dir)
    return groups


def _find_vocabulary(job: JobDirectory) -> Vocabulary | None:
    """Returns the vocabulary of a job; None if it has not been written yet."""
    try:
        return read_vocabulary(job.vocabulary) if job.vocabulary.exists() else None
    except FormatError as error:
        raise FormatError(f"cannot compare {job}: {job.vocabulary}: {error}") from error


def _name_data(config: TrainingConfig) -> str:
    """Returns the names of the text files, or of the corpus, that a config names."""
    if config.data_dir is not None:
        return below(config.data_dir, config.data_prefix) if config.data_prefix else config.data_dir
    first, *others = (Path(text).name or text for text in config.texts or ("story",))
    return first + (f" and {len(others)} more" if others else "")


def _size_in_bucket(uri: str) -> int:
    """Returns the size in bytes of all objects of a job."""
    with BucketDirectory(uri) as directory:
        return sum(found.size for found in directory.list().values())
