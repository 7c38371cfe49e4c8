"""Finds the text that a config names, before training and again afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textgen.config import PLACEHOLDER, TrainingConfig
from textgen.corpus import Corpus, Section, Sources, find_sources, open_corpus, open_sections
from textgen.corpus.unwrapping import AUTO, NO, YES
from textgen.errors import DataError, MissingError, UsageError, named
from textgen.jobs import JobDirectory
from textgen.runs.existing_job import START_OVER, read_config
from textgen.storage import bundled

STORY_PREFIX = "story"


def find_text(config: TrainingConfig) -> Sources:
    """Finds the files that a config names, or the bundled story.

    Raises:
        TextgenError: as `find_sources`.
    """
    texts, prefix = config.texts, config.data_prefix
    if not texts and config.data_dir is None:
        texts, prefix = (str(bundled("data/story.txt")),), prefix or STORY_PREFIX
    # The job's name depends on the text. If the path contains it, the job directory is recognised by its layout instead.
    job_dir = None if PLACEHOLDER in config.job_dir else config.job_dir
    return find_sources(texts, config.data_dir, prefix, job_dir)


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


def open_training_text(model: Path, data_sha256: str) -> Section:
    """Finds the text that a model was trained on, and reads it once to verify its hash.

    Args:
        model: the job directory, or the model file in it.
        data_sha256: the hash of the text, from the model file.

    Returns:
        The training text, without the part for validation.

    Raises:
        MissingError: if there is no job directory, or the text is missing.
        DataError: if the text has changed.
        FormatError: if the job's config is damaged.
        TextgenError: if the text cannot be read.
    """
    job = JobDirectory(model if model.is_dir() else model.parent)
    if not job.exists:
        raise MissingError(
            f"the training text of {model} is unknown: there is no {job.config} to name it; "
            "name the job directory that textgen-train made"
        )
    config = read_config(job.config, "train again")
    from_here = f"paths in {job.config} are relative to the folder where textgen-train was run"
    try:
        sections = open_sections(
            find_text(config), valid_fraction=config.valid_fraction, encoding=config.encoding, unwrap=config.unwrap
        )
    except MissingError as error:
        raise MissingError(f"cannot find the training text: {error}; {from_here}") from error
    except (DataError, UsageError) as error:
        raise DataError(f"cannot read the training text: {error}; {from_here}") from error
    if sections.sha256 != data_sha256:
        raise DataError(
            f"{sections.train.paths[0]} is not the text that {model} was trained on, or not all of it: "
            f"restore the text that {job.config} names, or train again; {from_here}"
        )
    return sections.train
