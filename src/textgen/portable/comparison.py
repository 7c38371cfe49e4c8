"""Compares exported models with textgen's own step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from textgen.generation import LSTMStep, ModelFile
from textgen.planning.one_step import LOGITS, TOKEN, next_name

OneStep: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[np.float32]]]
"""Maps inputs to outputs; `planning.one_step` has their names and shapes."""

TOLERANCE = 1e-4
"""The largest accepted difference of one step: rounding causes about 1e-6, a wrong weight or operator far more."""

TEXTS = 4
"""The texts read in parallel: several short ones, because some networks amplify rounding errors over a long one."""

STEPS = 12
"""The tokens read from each text."""


class FileDiffersError(Exception):
    """A written file is not the model. The message says in what way, as in `cannot write model.onnx: ...`."""


def check_step(model: ModelFile, one_step: OneStep) -> float:
    """Checks that a one-step model computes the same as a model file.

    Returns:
        The largest difference of any logit; see `largest_difference`.

    Raises:
        FileDiffersError: if it is above `TOLERANCE`.
    """
    difference = largest_difference(model, one_step)
    if not difference <= TOLERANCE:  # NaN is not
        raise FileDiffersError(
            f"in a test its logits differed from the model's by up to {difference:.2g}, more than the {TOLERANCE:g} allowed"
        )
    return difference


def largest_difference(model: ModelFile, one_step: OneStep) -> float:
    """Returns the largest difference of any logit over random texts, with the state carried from step to step.

    Args:
        model: the model file.
        one_step: the same model in another runtime.

    Returns:
        The difference, relative to the step's largest logit if that is above 1; NaN if a logit is NaN.
    """
    states = {name: np.zeros((TEXTS, width), np.float32) for name, width in model.shape.states.items()}
    texts = _random_texts(model)
    largest = np.float32(0)
    for ids, expected in zip(texts.T, LSTMStep(model).read(texts), strict=True):
        outputs = one_step({TOKEN: ids, **states})
        states = {name: outputs[next_name(name)] for name in states}
        largest = np.maximum(largest, _difference(outputs[LOGITS], expected))
    return float(largest)


def largest_difference_of_models(model: ModelFile, other: ModelFile) -> float:
    """Returns the largest difference of any logit of two models of the same shape, likewise."""
    texts = _random_texts(model)
    steps = zip(LSTMStep(other).read(texts), LSTMStep(model).read(texts), strict=True)
    return float(max(_difference(logits, expected) for logits, expected in steps))


def _random_texts(model: ModelFile) -> NDArray[np.int32]:
    """Returns random token ids, `(TEXTS, STEPS)`."""
    shape = (STEPS, TEXTS)
    return np.random.default_rng(seed=1).integers(model.vocabulary.size, size=shape, dtype=np.int32).T


def _difference(logits: NDArray[np.float32], expected: NDArray[np.float32]) -> np.float32:
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, as intended
        difference: np.float32 = np.abs(logits - expected).max() / np.maximum(1, np.abs(expected).max())
    return difference
