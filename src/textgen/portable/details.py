"""Describes a model for the playground, and for the clients of a server."""

from __future__ import annotations

from typing import Any

from textgen.corpus import FIRST_TOKEN_ID
from textgen.generation import ModelFile
from textgen.jobs import finite_number


def details_of(model: ModelFile, *, has_text: bool) -> dict[str, Any]:
    """Returns the details of a model in GET /v1/models, as JSON values.

    Args:
        model: the model.
        has_text: whether its training text is at hand.
    """
    shape, vocabulary = model.shape, model.vocabulary
    return {
        "language_model": vocabulary.tokenizer.name,
        "one_character": all(len(token) == 1 for token in vocabulary.tokens[FIRST_TOKEN_ID:]),
        "vocabulary_size": vocabulary.size,
        "layers": shape.layers,
        "lstm_state_size": shape.lstm_state_size,
        "outputs": [shape.output_size] * shape.layers,
        "parameters": shape.parameters,
        "steps": model.step,
        "bits_per_character": finite_number(model.scores, "valid_bits_per_character"),
        "has_text": has_text,
    }
