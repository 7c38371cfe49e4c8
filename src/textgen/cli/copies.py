"""Opens the copy index of the text that a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.console import Console
from textgen.errors import UsageError, named
from textgen.evaluation.training_text import find_training_text, why_without_text

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation import ModelFile


def refuse_without_text(place: str) -> None:
    """Refuses to look for copies of a training text that is never at hand.

    Args:
        place: the path or URI of a model.

    Raises:
        UsageError: for the base model, or one in a bucket. The line names the settings `novelty` and `max_copy`.
    """
    if reason := why_without_text(place):
        raise UsageError(
            f"{named('novelty')} and {named('max_copy')} need the training text, but {reason}; name a local job, or leave them out"
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
        TextgenError: as `refuse_without_text`, `find_training_text` and `TrainingText.copies`.
    """
    refuse_without_text(place)
    text = find_training_text(place, model)
    if model.started_from is not None:
        Console().say(
            "This model started from another one, whose training text is not searched: only copies of its own training text are found"
        )
    with Console().busy("reading the training text"):
        return text.copies
