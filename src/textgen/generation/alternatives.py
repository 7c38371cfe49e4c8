"""Scores a token of a text, and lists the tokens that were likeliest in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID
from textgen.generation.sample import TokenScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.corpus import Joiner
    from textgen.generation.layers import Floats
    from textgen.generation.row import Row


def likeliest(logits: Floats, count: int) -> NDArray[np.intp]:
    """Returns the ids of the likeliest tokens, the likeliest first, without those that a model never writes.

    Args:
        logits: `(..., vocabulary_size)`, as the model computed them.
        count: the number of tokens; fewer are returned if there are fewer.

    Returns:
        `(..., count)`. Of equally likely tokens, the lower id comes first.
    """
    written = logits[..., FIRST_TOKEN_ID:]
    count = min(count, written.shape[-1])
    if count == 1:
        best: NDArray[np.intp] = written.argmax(axis=-1, keepdims=True) + FIRST_TOKEN_ID
        return best
    costs = -written
    found = np.sort(np.argpartition(costs, max(count - 1, 0), axis=-1)[..., :count])
    order = np.argsort(np.take_along_axis(costs, found, axis=-1), kind="stable")
    ids: NDArray[np.intp] = np.take_along_axis(found, order, axis=-1) + FIRST_TOKEN_ID
    return ids


def score_token(row: Row, token_id: int, count: int, tokens: Sequence[str], joiner: Joiner) -> TokenScore:
    """Returns the score of the token that a row has just written.

    Args:
        row: the row, which is scored.
        token_id: the token.
        count: the number of alternatives.
        tokens: the vocabulary, in id order.
        joiner: has joined the tokens before; it is not modified.
    """
    if not count or row.logits is None:
        return TokenScore(row.last_nats)
    ids = likeliest(row.logits, count)
    costs = row.last_nats + float(row.logits[token_id]) - row.logits[ids]
    pieces = (joiner.look_ahead(tokens[number]) for number in ids.tolist())
    return TokenScore(row.last_nats, tuple(zip(pieces, costs.tolist(), strict=True)))
