"""A job as Python callers see it: its scores, its history, and the text that its model writes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from textgen.config import JobsCommand, TrainingConfig
from textgen.errors import UsageError, named
from textgen.formatting import shown
from textgen.jobs import JobDirectory, best_evaluation, job_facts, job_place, read_config, read_metrics
from textgen.runs.find_job import find_job, jobs_below, look_at_job
from textgen.storage import is_bucket

if TYPE_CHECKING:
    from textgen.generation import TextGenerator

_NONE: Mapping[str, Any] = MappingProxyType({})
_LIST = "textgen.list_jobs() lists all jobs"


class Job:
    """A job, which `train` has made or resumed.

    Its files are read when they are needed, so the properties show the progress of a job that is being trained.

    Args:
        path: the job directory, or its URI in a bucket.
        figures: what the run that has just ended has measured; those of the test text are part of the scores.

    Attributes:
        path: the job directory, or its URI in a bucket.
    """

    def __init__(self, path: str, figures: Mapping[str, Any] = _NONE) -> None:
        self.path = path
        self._test = {name: value for name, value in figures.items() if name.startswith("test_")}

    def __repr__(self) -> str:
        return f"Job({self.path!r})"

    @property
    def config(self) -> TrainingConfig:
        """The settings of the last run.

        Raises:
            TextgenError: if they cannot be read.
        """
        return read_config(self._look().config, f"use {named('fresh')} to start over")

    @property
    def status(self) -> str:
        """`running`, `stopped`, `finished` or, if a file cannot be read, `damaged`.

        A job in a bucket whose trainer was killed is `running` until it is resumed.
        """
        return job_facts(self._look()).state

    @property
    def history(self) -> list[dict[str, Any]]:
        """The evaluations so far, the oldest first, each with the values of a line of metrics.jsonl.

        Raises:
            TextgenError: if the file cannot be read.
        """
        return read_metrics(self._look().metrics)

    @property
    def scores(self) -> dict[str, float]:
        """The scores of the model: those of the best evaluation, such as `valid_bits_per_character`.

        If the run that returned this job evaluated a test text, they include `test_loss` and so on. Before the first evaluation,
        there are none.

        Raises:
            TextgenError: as `history`.
        """
        best = best_evaluation(self.history)
        scores = {name: value for name, value in best.items() if name.startswith("valid_")}
        scores.pop("valid_sha256", None)
        return scores | self._test

    @cached_property
    def generator(self) -> TextGenerator:
        """Writes with the model as it is at the first use.

        Raises:
            TextgenError: if there is no model yet, or it cannot be used.
        """
        from textgen.generation import load as open_generator

        return open_generator(self.path)

    def generate(self, prompt: str = "", **settings: Any) -> Iterator[str]:
        """Writes a text, piece by piece; see `TextGenerator.generate`."""
        return self.generator.generate(prompt, **settings)

    def _look(self) -> JobDirectory:
        """Returns the job as it is now."""
        return job_place(self.path).look()


def open_job(path: str | os.PathLike[str]) -> Job:
    """Opens a job.

    Args:
        path: a job directory, the name of one below `job/`, or a URI that begins with `gs://`.

    Raises:
        MissingError: if there is no such job.
        UsageError: if it is a file, or no path.
        TextgenError: if it cannot be read.
    """
    place = find_job(_read_path("path", path), _LIST)
    look_at_job("path", place, for_file="textgen.load opens a model", advice=_LIST)
    return Job(place)


def load(path: str | os.PathLike[str]) -> TextGenerator:
    """Opens a trained model to generate text with; loads NumPy, but not TensorFlow.

    Args:
        path: a job directory, the name of one below `job/`, a model file, or a URI of one of these that begins with `gs://`.
            `base` is the base model, which comes with textgen.

    Returns:
        The generator; see `TextGenerator.generate`.

    Raises:
        TextgenError: if there is no model, or it cannot be used.
    """
    from textgen.generation import load as open_generator

    return open_generator(find_job(_read_path("path", path), _LIST))


def list_jobs(folder: str | os.PathLike[str] = JobsCommand.directory) -> list[Job]:
    """Lists the jobs in and below a folder, the most recently changed first.

    Args:
        folder: a local folder.

    Raises:
        TextgenError: if it cannot be read. Without the default folder, there are no jobs.
    """
    place = _read_path("folder", folder)
    if is_bucket(place):
        raise UsageError(f"folder must be a local folder, got {place}; textgen.open opens a job in a bucket")
    return [Job(facts.job_dir) for facts in jobs_below(Path(place))]


def _read_path(name: str, path: Any) -> str:
    """Returns a path as a text.

    Args:
        name: the name of the argument, for the error message.
        path: its value.

    Raises:
        UsageError: if it is no path.
    """
    place = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(place, str) or not place or "\0" in place:
        raise UsageError(f"{name} must be a path, got {shown(path)}")
    return place
