"""Converts a training state to a model file, and loads a model file's weights back into a Keras model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from textgen.config import TrainingConfig
from textgen.corpus import Vocabulary
from textgen.evaluation import Scores
from textgen.generation import ModelFile
from textgen.model import LanguageModel, variables_of
from textgen.planning import ModelShape
from textgen.training.capture import variable_of
from textgen.version import __version__


def to_model_file(
    tensors: Mapping[str, np.ndarray],
    config: TrainingConfig,
    vocabulary: Vocabulary,
    *,
    data_sha256: str,
    step: int,
    scores: Scores | None,
    after_white_space: Mapping[str, Sequence[str]] | None = None,
    unwrapped: bool = False,
    started_from: str | None = None,
) -> ModelFile:
    """Builds the model file of a training state: the weights and everything else that sampling needs.

    Args:
        tensors: the result of `capture` or `capture_model`.
        config: the settings.
        vocabulary: the text's vocabulary.
        data_sha256: the hash of the text.
        step: the number of updates made.
        scores: the validation scores of these weights, if they were evaluated.
        after_white_space: what follows white space in the training text, as in `ModelFile`.
        unwrapped: whether the training text was unwrapped, as in `ModelFile`.
        started_from: the hash of the model that training started from, as in `ModelFile`.
    """
    shape = ModelShape.of(vars(config), vocabulary.size)
    weights = {variable_of(name): np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
    return ModelFile(
        tensors={name: weights[at] for name, at in variables_of(shape).items() if at in weights},
        shape=shape,
        vocabulary=vocabulary,
        scores={} if scores is None else score_values(scores),
        data_sha256=data_sha256,
        step=step,
        textgen_version=__version__,
        after_white_space=after_white_space,
        unwrapped=unwrapped,
        started_from=started_from,
        settings={
            "language_model": config.language_model,
            "lowercase": config.lowercase,
            "use_fp16": config.precision == "mixed_float16",
            "vocab_size": config.vocab_size,
        },
    )


def take_weights(model: LanguageModel, file: ModelFile) -> None:
    """Loads the weights of a model file into a Keras model.

    Args:
        model: a model of the same shape.
        file: the model file.
    """
    for name, (layer, variable) in variables_of(file.shape).items():
        [weights] = [known for known in model.get_layer(layer).variables if known.name == variable]
        weights.assign(file.tensors[name])


def score_values(scores: Scores, part: str = "valid") -> dict[str, float]:
    """Returns the scores under their names in logs and files, such as `valid_loss`.

    Args:
        scores: the scores of one part of the text.
        part: the part's name: `valid` or `test`.
    """
    return {
        f"{part}_loss": scores.loss,
        f"{part}_perplexity": scores.perplexity,
        f"{part}_bits_per_character": scores.bits_per_character,
        f"{part}_unknown_share": scores.unknown_share,
    }
