"""Computes the input projection of an LSTM, `x W + b`, for a whole window at once.

The product of a one-hot vector and W is a row of W, so ids are looked up and no one-hot vector is ever made. If a window has at
least as many tokens as the vocabulary, the whole table is processed first (product with W, bias, normalisation), and its rows are
looked up afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from textgen.model.tensorflow_ops import gather_rows


def project_vectors(sequences: Any, kernel: Any, finish: Callable[[Any], Any]) -> Any:
    """Projects vectors.

    Args:
        sequences: `(batch_size, unroll_steps, width)`, floating.
        kernel: W, `(width, 4n)`.
        finish: applied to rows of `x W`, `(rows, 4n)`.

    Returns:
        `(unroll_steps, batch_size, 4n)`.
    """
    batch_size, steps, width = sequences.shape
    rows = ops.reshape(ops.transpose(sequences, (1, 0, 2)), (steps * batch_size, width))
    return ops.reshape(finish(ops.matmul(rows, kernel)), (steps, batch_size, kernel.shape[1]))


def project_tokens(ids: Any, embedding: Any, kernel: Any, finish: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Prepares the projection of tokens.

    Args:
        ids: the whole window, `(batch_size, unroll_steps)`, int32.
        embedding: `(vocabulary_size, width)`; None for one-hot tokens.
        kernel: W, `(width, 4n)`, or `(vocabulary_size, 4n)` for one-hot tokens.
        finish: applied to rows of `x W`, `(rows, 4n)`.

    Returns:
        A function from the ids of some streams, `(streams, unroll_steps)`, to their projection, `(unroll_steps, streams, 4n)`.
    """
    vectors = kernel if embedding is None else embedding

    def product(rows: Any) -> Any:
        return finish(rows if embedding is None else ops.matmul(rows, kernel))

    if vectors.shape[0] <= ids.shape[0] * ids.shape[1]:
        table = product(vectors)
        return lambda part: gather_rows(table, ops.transpose(part))

    def project(part: Any) -> Any:
        rows = gather_rows(vectors, ops.reshape(ops.transpose(part), (-1,)))
        return ops.reshape(product(rows), (part.shape[1], part.shape[0], kernel.shape[1]))

    return project
