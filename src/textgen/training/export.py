"""Makes a model file of a Keras model: the way from training to sampling."""

from __future__ import annotations

import numpy as np

from textgen.config import TrainingConfig, shape
from textgen.corpus import Vocabulary
from textgen.evaluation import Scores
from textgen.generation import ModelFile
from textgen.model import LanguageModel
from textgen.version import __version__


def to_model_file(
    model: LanguageModel,
    config: TrainingConfig,
    vocabulary: Vocabulary,
    *,
    data_sha256: str,
    step: int,
    scores: Scores | None,
) -> ModelFile:
    """A model's present weights, with all that sampling needs.

    Args:
        model: of this config.
        config: the settings.
        vocabulary: of the text.
        data_sha256: identifies the text.
        step: updates made.
        scores: of the validation text, when these weights were scored.
    """
    tensors = {}
    if config.embedding_size is not None:
        tensors["embedding"] = model.get_layer("embedding").embeddings
    for index in range(config.layers):
        layer = model.get_layer(f"lstm_{index}")
        for variable in layer.weights:
            tensors[f"layers.{index}.{variable.name}"] = variable
    output = model.get_layer("output")
    tensors["output.kernel"], tensors["output.bias"] = output.kernel, output.bias
    known = {} if scores is None else score_values(scores)
    return ModelFile(
        tensors={name: np.asarray(variable.numpy(), np.float32) for name, variable in tensors.items()},
        shape=shape(config),
        vocabulary=vocabulary,
        scores=known,
        data_sha256=data_sha256,
        step=step,
        textgen_version=__version__,
    )


def score_values(scores: Scores, part: str = "valid") -> dict[str, float]:
    """The scores under the names by which logs and files know them.

    Args:
        scores: of one part of the text.
        part: its name.
    """
    return {
        f"{part}_loss": scores.loss,
        f"{part}_perplexity": scores.perplexity,
        f"{part}_bits_per_character": scores.bits_per_character,
        f"{part}_unknown_share": scores.unknown_share,
    }
