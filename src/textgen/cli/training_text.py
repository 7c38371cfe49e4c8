"""Finds the text that a config names, before training and again after it; knows nothing of what it is read for."""

from __future__ import annotations

from pathlib import Path

from textgen.cli.job_config import read_config
from textgen.config import PLACEHOLDER, TrainingConfig
from textgen.corpus import Corpus, Section, Sources, find_sources, open_corpus, open_sections
from textgen.errors import DataError, MissingError, UsageError
from textgen.jobs import JobDirectory
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
    # A place with a job's name in it can be known only after the text, and is recognised by its layout.
    job_dir = None if PLACEHOLDER in config.job_dir else config.job_dir
    return find_sources(texts, config.data_dir, prefix, job_dir)


def open_text(config: TrainingConfig) -> Corpus:
    """Opens the text that a config names.

    Raises:
        TextgenError: when it is not there, or is not text.
    """
    return open_corpus(
        find_text(config),
        language_model=config.language_model,
        vocab_size=config.vocab_size,
        lowercase=config.lowercase,
        valid_fraction=config.valid_fraction,
        encoding=config.encoding,
    )


def open_training_text(model: Path, data_sha256: str) -> Section:
    """Finds the text that a model was trained on, and reads it once to verify its hash.

    Args:
        model: a job directory, or the model file in one.
        data_sha256: the hash of the text, from the model file.

    Returns:
        What the model learned from, without the text for validation.

    Raises:
        MissingError: when there is no job directory, or the text is gone.
        DataError: when the text has changed.
        FormatError: when the job's config is damaged.
        TextgenError: when the text cannot be read.
    """
    job = JobDirectory(model if model.is_dir() else model.parent)
    if not job.exists:
        raise MissingError(
            f"the training text of {model} is not known: there is no {job.config} that names it; "
            "name the job directory that textgen-train made"
        )
    config = read_config(job.config, "train again")
    from_here = f"paths in {job.config} count from where textgen-train was run"
    try:
        sections = open_sections(find_text(config), valid_fraction=config.valid_fraction, encoding=config.encoding)
    except MissingError as error:
        raise MissingError(f"the training text is needed: {error}; {from_here}") from error
    except (DataError, UsageError) as error:
        raise DataError(f"the training text is needed, as it was in training: {error}; {from_here}") from error
    if sections.sha256 != data_sha256:
        raise DataError(
            f"{sections.train.paths[0]} is not the text that {model} was trained on, or not all of it: "
            f"restore the text that {job.config} names, or train again; {from_here}"
        )
    return sections.train
