"""Prints advice on the job that a run has just finished."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from textgen.jobs import JobState, read_metrics

if TYPE_CHECKING:
    from textgen.config import TrainingConfig
    from textgen.console import Console
    from textgen.corpus import Corpus
    from textgen.evaluation.advice import Advice
    from textgen.jobs import JobDirectory


def show_advice(console: Console, job: JobDirectory, config: TrainingConfig, corpus: Corpus) -> None:
    """Prints advice, if there is any. It never fails, because the job is finished, whatever happens here.

    Args:
        console: where to print.
        job: the job directory.
        config: the settings of the job.
        corpus: its text.
    """
    advice: tuple[Advice, ...] = ()
    with contextlib.suppress(Exception), console.busy("looking for advice"):
        advice = find_advice(job, config, corpus)
    if advice:
        console.say("Advice:")
    for each in advice:
        console.say(f"  {each.sentence}")


def find_advice(job: JobDirectory, config: TrainingConfig, corpus: Corpus) -> tuple[Advice, ...]:
    """Returns the advice on a job; none if it is not finished.

    Args:
        job: as in `show_advice`.
        config: likewise.
        corpus: likewise.

    Raises:
        TextgenError: if a file of the job or the text cannot be read.
    """
    from textgen.evaluation.advice import advise
    from textgen.evaluation.matching_temperature import match_temperatures
    from textgen.evaluation.real_text import read_real_text
    from textgen.generation import load

    state = JobState.find(job.state)
    if state is None or state.status != "finished":
        return ()
    real = read_real_text(corpus.train, corpus.valid, corpus.vocabulary.tokenizer)
    return advise(read_metrics(job.metrics), config, match_temperatures(load(job.model), real))
