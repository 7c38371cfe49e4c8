"""Measures how well a model predicts a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from textgen.generation.engine import BatchEngine
from textgen.generation.step import LSTMStep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation import ModelFile


def mean_loss(model: ModelFile, pieces: NDArray[np.integer]) -> float:
    """Returns the mean nats per token of pieces of text, each read from a zero state.

    Args:
        model: the model.
        pieces: `(pieces, tokens)`, the token ids; the first token of each piece is read and not predicted.
    """
    scores = BatchEngine(LSTMStep(model)).score(pieces.tolist())
    return float(np.mean(np.concatenate([text.nats for text in scores])))
