"""Measures how well a model predicts a text, with the NumPy step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from textgen.generation.step import LSTMStep, log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation import ModelFile


def mean_loss(model: ModelFile, pieces: NDArray[np.integer]) -> float:
    """Returns the mean nats per token of pieces of text, each read from a zero state.

    Args:
        model: the model.
        pieces: `(pieces, tokens)`, the token ids; the first token of each piece is read and not predicted.
    """
    nats = [
        log_total(logits) - np.take_along_axis(logits, targets[:, np.newaxis], axis=1)[:, 0]
        for logits, targets in zip(LSTMStep(model).read(pieces[:, :-1]), pieces[:, 1:].T, strict=True)
    ]
    return float(np.mean(nats))
