"""Runs a one-step model beside textgen's own step, and says how far they differ; knows nothing of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from textgen.generation import LSTMStep, ModelFile
from textgen.generation.signature import LOGITS, TOKEN, next_name, state_widths

OneStep: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[np.float32]]]
"""From inputs to outputs; names and shapes stand in `generation.signature`."""

TEXTS = 4
"""Read side by side: several short ones, and not a long one, in which some networks make much of a rounding."""

STEPS = 12
"""Tokens that are read of each text."""


def largest_difference(model: ModelFile, one_step: OneStep) -> float:
    """The largest difference of any logit over a few dozen random tokens, the state carried from step to step.

    Args:
        model: the model file.
        one_step: the same model in another runtime.

    Returns:
        The difference, in units of the step's largest logit where that is above 1; NaN where a logit is no number.
    """
    reference = LSTMStep(model).start(TEXTS)
    states = {name: np.zeros((TEXTS, width), np.float32) for name, width in state_widths(model.shape).items()}
    texts = np.random.default_rng(seed=1).integers(model.vocabulary.size, size=(STEPS, TEXTS), dtype=np.int32)
    largest = np.float32(0)
    for ids in texts:
        outputs = one_step({TOKEN: ids, **states})
        states = {name: outputs[next_name(name)] for name in states}
        expected = reference(ids)
        with np.errstate(invalid="ignore"):  # infinity less infinity is NaN, which is what is wanted
            difference = np.abs(outputs[LOGITS] - expected).max() / np.maximum(1, np.abs(expected).max())
        largest = np.maximum(largest, difference)
    return float(largest)
