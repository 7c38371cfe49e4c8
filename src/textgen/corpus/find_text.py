"""Finds the files of the text that a config names, before training and again afterwards."""

from __future__ import annotations

from textgen.config import PLACEHOLDER, TrainingConfig
from textgen.corpus.sources import Sources, find_sources
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
