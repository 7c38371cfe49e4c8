"""Opens the copy index of the text that a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textgen.console import Console
from textgen.corpus.copy_index import open_copy_index
from textgen.errors import UsageError, named
from textgen.runs.find_job import base_path
from textgen.runs.find_text import open_training_text
from textgen.storage import cache_directory, is_bucket

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation import ModelFile


def refuse_without_text(place: str) -> None:
    """Refuses a model whose training text cannot be found: one in a bucket, or the base model.

    Raises:
        UsageError: for such a model.
    """
    if place == str(base_path()):
        raise UsageError(
            f"{named('novelty')} and {named('max_copy')} need the training text, and that of the base model does not come with textgen; "
            "name a job, or leave them out"
        )
    if is_bucket(place):
        raise UsageError(
            f"{named('novelty')} and {named('max_copy')} need a local job directory to find the training text, got {place}; "
            "copy the job to this machine, or leave them out"
        )


def open_copies(place: str, model: ModelFile) -> CopyIndex:
    """Opens the copy index of a model's training text, which is found through its job directory.

    The first time, this builds the index. That takes a while for a long text, so a terminal shows a spinner. If the model
    started from another one, whose training text is not in the index, a line says so.

    Args:
        place: the job directory, or the model file in it.
        model: the opened model file.

    Returns:
        The index.

    Raises:
        UsageError: as `refuse_without_text`.
        TextgenError: as `open_training_text` and `open_copy_index`.
    """
    refuse_without_text(place)
    if model.started_from is not None:
        Console().say(
            "This model started from another one, whose training text is not searched: only copies of its own training text are found"
        )
    with Console().busy("reading the training text"):
        section = open_training_text(Path(place), model.data_sha256)
        return open_copy_index(section, model.vocabulary.tokenizer, cache_directory("copies", expires=True))
