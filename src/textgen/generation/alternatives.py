"""Scores a token of a text, and lists the tokens that were likeliest in its place."""

from __future__ import annotations

import copy
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
        logits: `(vocabulary_size,)`, as the model computed them.
        count: the number of tokens; fewer are returned if there are fewer.
    """
    written = logits[FIRST_TOKEN_ID:]
    found = np.sort(np.argpartition(-written, count)[:count]) if count < len(written) else np.arange(len(written))
    ids: NDArray[np.intp] = found[np.argsort(-written[found], kind="stable")] + FIRST_TOKEN_ID
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
    pieces = (copy.copy(joiner).add(tokens[number]) for number in ids.tolist())
    return TokenScore(row.last_nats, tuple(zip(pieces, costs.tolist(), strict=True)))
