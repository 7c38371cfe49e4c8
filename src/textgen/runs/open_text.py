"""Opens the text that a config names, and decides whether it is unwrapped."""

from __future__ import annotations

from dataclasses import replace

from textgen.config import TrainingConfig
from textgen.corpus import Corpus, open_corpus
from textgen.corpus.find_text import find_text
from textgen.corpus.unwrapping import AUTO, NO, YES
from textgen.errors import DataError, named
from textgen.jobs import JobDirectory, read_config
from textgen.runs.existing_job import START_OVER


def open_text(config: TrainingConfig) -> Corpus:
    """Opens the text that a config names.

    Raises:
        DataError: if the text is to be unwrapped, and nothing in it is hard-wrapped.
        TextgenError: if it does not exist, or is not text.
    """
    corpus = _open(config)
    if config.unwrap == YES and not corpus.unwrapped:
        raise DataError(
            f"{named('unwrap')} {YES} needs paragraphs whose lines are wrapped to the same width, and {corpus.train.paths[0]} has none; "
            f"use {named('unwrap')} {NO}, or leave it out"
        )
    return corpus


def _open(config: TrainingConfig) -> Corpus:
    return open_corpus(
        find_text(config),
        language_model=config.language_model,
        vocab_size=config.vocab_size,
        lowercase=config.lowercase,
        valid_fraction=config.valid_fraction,
        encoding=config.encoding,
        unwrap=config.unwrap,
    )


def decide_unwrapping(
    config: TrainingConfig, corpus: Corpus, job: JobDirectory | None
) -> tuple[TrainingConfig, Corpus]:
    """Replaces `auto` as the value of `unwrap`: an existing job keeps its value, and a new one has what was decided from the text.

    Args:
        config: the settings. If they have `yes` or `no`, that stays.
        corpus: the text, as `open_text` opened it with these settings.
        job: the job to resume, if it exists; None if there is none.

    Returns:
        The settings, with `yes` or `no`, and the text, which is opened again if the job reads it otherwise.

    Raises:
        TextgenError: if the job's settings or the text cannot be read.
    """
    choice = YES if corpus.unwrapped else NO
    if config.unwrap == AUTO and job is not None and job.exists:
        before = read_config(job.config, START_OVER).unwrap
        if before not in {AUTO, choice}:
            config = replace(config, unwrap=before)
            return config, _open(config)
    return replace(config, unwrap=choice), corpus
