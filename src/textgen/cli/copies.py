"""Opens the copy index of the text that a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.places import refuse_bucket_with_copies
from textgen.cli.training_text import open_training_text
from textgen.console import Console
from textgen.corpus.copy_cache import open_copy_index
from textgen.storage import cache_directory

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation import ModelFile


def open_copies(place: str, model: ModelFile) -> CopyIndex:
    """Opens the copy index of a model's training text, which is found through its job directory.

    The first time, this builds the index. That takes a while for a long text, so a terminal shows a spinner.

    Args:
        place: the job directory, or the model file in it.
        model: the opened model file.

    Returns:
        The index.

    Raises:
        UsageError: if the job is in a bucket.
        TextgenError: as `open_training_text` and `open_copy_index`.
    """
    refuse_bucket_with_copies(place)
    with Console().busy("reading the training text"):
        section = open_training_text(Path(place), model.data_sha256)
        return open_copy_index(section, model.vocabulary.tokenizer, cache_directory("copies", forgets=True))
