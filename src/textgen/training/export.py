"""Between a training state and a model file: the way from training to sampling, and back to score the best model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from textgen.config import TrainingConfig, shape
from textgen.corpus import Vocabulary
from textgen.evaluation import Scores
from textgen.generation import ModelFile
from textgen.model import LanguageModel
from textgen.training.state import capture_model, restore
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
) -> ModelFile:
    """The weights of a training state, with all that sampling needs.

    Args:
        tensors: what `capture` or `capture_model` gives.
        config: the settings.
        vocabulary: of the text.
        data_sha256: identifies the text.
        step: updates made.
        scores: of the validation text, when these weights were scored.
        after_white_space: as in `ModelFile`.
    """
    named = {_name_in_file(name): tensor for name, tensor in tensors.items()}
    return ModelFile(
        tensors={name: np.asarray(tensor, np.float32) for name, tensor in named.items() if name is not None},
        shape=shape(config),
        vocabulary=vocabulary,
        scores={} if scores is None else score_values(scores),
        data_sha256=data_sha256,
        step=step,
        textgen_version=__version__,
        after_white_space=after_white_space,
    )


def take_weights(model: LanguageModel, file: ModelFile) -> None:
    """Puts the weights of a model file into a model.

    Args:
        model: of the file's shape.
        file: the model file.
    """
    names = {name: _name_in_file(name) for name in capture_model(model)}
    restore(model, {name: file.tensors[named] for name, named in names.items() if named}, optimizer=False, states=False)


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


def _name_in_file(name: str) -> str | None:
    """How a model file calls what `capture` calls `model/LAYER/INDEX/VARIABLE`; None for what it does not hold."""
    kind, _, rest = name.partition("/")
    layer, _, variable = rest.partition("/")
    variable = variable.rpartition("/")[2]
    if kind != "model" or variable == "seed_generator_state":
        return None
    if variable == "embedding":
        return "embedding"
    if layer == "output":
        return f"output.{variable}"
    return f"layers.{layer.removeprefix('lstm_')}.{variable}" if layer.startswith("lstm_") else None
