"""Compares a one-step model in another runtime with textgen's own step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from textgen.generation import LSTMStep, ModelFile
from textgen.planning.one_step import LOGITS, TOKEN, next_name

OneStep: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[np.float32]]]
"""Maps inputs to outputs; `planning.one_step` has their names and shapes."""

TEXTS = 4
"""The texts read in parallel: several short ones, because some networks amplify rounding errors over a long one."""

STEPS = 12
"""The tokens read from each text."""


def largest_difference(model: ModelFile, one_step: OneStep) -> float:
    """Returns the largest difference of any logit over random texts, with the state carried from step to step.

    Args:
        model: the model file.
        one_step: the same model in another runtime.

    Returns:
        The difference, relative to the step's largest logit if that is above 1; NaN if a logit is NaN.
    """
    reference = LSTMStep(model).start(TEXTS)
    states = {name: np.zeros((TEXTS, width), np.float32) for name, width in model.shape.states.items()}
    texts = np.random.default_rng(seed=1).integers(model.vocabulary.size, size=(STEPS, TEXTS), dtype=np.int32)
    largest = np.float32(0)
    for ids in texts:
        outputs = one_step({TOKEN: ids, **states})
        states = {name: outputs[next_name(name)] for name in states}
        expected = reference(ids)
        with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, as intended
            difference = np.abs(outputs[LOGITS] - expected).max() / np.maximum(1, np.abs(expected).max())
        largest = np.maximum(largest, difference)
    return float(largest)
