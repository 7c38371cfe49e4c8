"""Evaluates a model on a text, and compares it with baselines that learn the model's training text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.config import TrainingConfig
from textgen.corpus.unwrapping import NO
from textgen.errors import TextgenError, UsageError
from textgen.evaluation.baselines import MOST_LEARNED, UNIFORM, measure_baselines, measure_uniform
from textgen.evaluation.evaluated_text import EvaluatedText, count_text, open_files
from textgen.evaluation.fit import refuse_misfit, why_not_comparable
from textgen.evaluation.model_measures import Measures, measure_model
from textgen.evaluation.training_text import find_training_text, why_without_text
from textgen.generation.step import LSTMStep
from textgen.storage import as_typed

if TYPE_CHECKING:
    from textgen.corpus import Section
    from textgen.evaluation.training_text import TrainingText
    from textgen.generation import ModelFile


@dataclass(frozen=True)
class Evaluation:
    """How well a model and the baselines predict a text.

    Attributes:
        text: the text.
        measures: the measures of the model.
        baselines: the bits per character of each baseline, by its name.
        missing: why the baselines that learn are missing, in words; empty if they are not.
        warnings: what limits the meaning of the figures, in sentences.
    """

    text: EvaluatedText
    measures: Measures
    baselines: Mapping[str, float]
    missing: str
    warnings: Sequence[str]


def evaluate(place: str | Path, model: ModelFile, texts: Sequence[str] = (), encoding: str | None = None) -> Evaluation:
    """Evaluates a model, without TensorFlow.

    Args:
        place: the job directory, or the model file in it.
        model: the opened model file.
        texts: the files, folders or globs to evaluate on; none for the validation text of the job. Hard-wrapped prose is unwrapped if
            the training text was.
        encoding: the encoding of the files; None for that of the training text, if it is known, or else UTF-8.

    Returns:
        The evaluation.

    Raises:
        UsageError: if there is no validation text, or an argument makes no sense.
        MissingError: likewise, or if a file is missing.
        DataError: if the text is empty, too short, not text, or does not fit the model.
        TextgenError: if a file cannot be read.
    """
    training: TrainingText | None = None
    missing = why_without_text(place)
    if not missing:
        try:
            training = find_training_text(place, model)
            training.sections  # noqa: B018 - reads the text, and verifies it
        except TextgenError as error:
            if not texts:
                raise
            training, missing = None, str(error)
    if texts:
        text = count_text(_open(texts, encoding, model, training), model.vocabulary)
        refuse_misfit(text, model, as_typed(place), str(text.section.paths[0]))
    elif training is None:
        raise UsageError(f"{missing}; name a TEXT to evaluate on")
    else:
        text = count_text(training.sections.valid, model.vocabulary)
    measures = measure_model(LSTMStep(model), text)
    baselines = {UNIFORM: measure_uniform(text)}
    if training is not None:
        baselines |= measure_baselines(text, training.section)
    return Evaluation(text, measures, baselines, missing, _warnings(place, text, training, given=bool(texts)))


def _open(texts: Sequence[str], encoding: str | None, model: ModelFile, training: TrainingText | None) -> Section:
    """Opens files as the training text was opened."""
    config = training.config if training else TrainingConfig()
    return open_files(texts, encoding=encoding or config.encoding, unwrap=config.unwrap if model.unwrapped else NO)


def _warnings(place: str | Path, text: EvaluatedText, training: TrainingText | None, *, given: bool) -> list[str]:
    """Returns what limits the meaning of the figures."""
    found = []
    if warning := why_not_comparable(text, as_typed(place), str(text.section.paths[0])):
        found.append(warning)
    if training is None:
        return found
    learned = training.section
    if given and (both := _first_shared(text.section.paths, learned.paths)):
        found.append(
            f"{both} contains the training text, which the model and the baselines have seen, so these figures are too good"
        )
    if learned.characters > MOST_LEARNED:
        found.append(
            f"the baselines learn only the first {MOST_LEARNED:,} of the {learned.characters:,} characters of the training text"
        )
    return found


def _first_shared(paths: Sequence[Path], others: Sequence[Path]) -> Path | None:
    """Returns the first path of a file that is also among others."""
    return next((path for path in paths if any(path.samefile(other) for other in others)), None)
