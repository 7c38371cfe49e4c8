"""Turns the settings that favour or forbid tokens into numbers that are added to the logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID
from textgen.errors import UsageError, named

if TYPE_CHECKING:
    from textgen.config import SamplingConfig
    from textgen.corpus import Vocabulary
    from textgen.generation.layers import Floats


def make_bias(config: SamplingConfig, vocabulary: Vocabulary) -> Floats | None:
    """Returns the numbers to add to the logits, `(vocabulary_size,)`, -inf for tokens that contain a banned text; None for zeros.

    Raises:
        UsageError: if `logit_bias` names a token that the model never writes, or the bans leave no token.
    """
    biases = config.biases()
    if unknown := [token for token in biases if vocabulary.ids([token])[0] < FIRST_TOKEN_ID]:
        raise UsageError(
            f"{named('logit_bias')} must name tokens that the model writes, got {vocabulary.listed(unknown)}; leave them out"
        )
    if not biases and not config.ban:
        return None
    bias = np.zeros(vocabulary.size, np.float32)
    bias[vocabulary.ids(biases)] = list(biases.values())
    for token_id, token in enumerate(vocabulary.tokens):
        if any(banned in token for banned in config.ban):
            bias[token_id] = -np.inf
    if np.isneginf(bias[FIRST_TOKEN_ID:]).all():
        raise UsageError(f"{named('ban')} must leave tokens to write, got all of them; ban fewer texts")
    return bias
