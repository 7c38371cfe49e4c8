"""Gives a model the vocabulary of another text, so that training on that text can start from its weights.

A token keeps the weights that the model has for it. A token that the model lacks takes those of one that looks alike, if the
model has it: `’` those of `'`, and `é` those of `e`. Tokens with the same weights share their probability in proportion to
their frequencies in the text. Any other token gets the average input vector, and is predicted by its frequency.
"""  # noqa: RUF002 - as in print

from __future__ import annotations

import dataclasses
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import UNKNOWN_ID, Vocabulary
from textgen.generation.prompt import read_prompt
from textgen.generation.step import LSTMStep, log_total
from textgen.planning.model_shape import OUTPUT_BIAS, OUTPUT_KERNEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.corpus.cached_array import StoredArray
    from textgen.generation.model_file import ModelFile

UNMATCHED = -1
"""Instead of an id of the model, for a token that has no match in its vocabulary."""

_PIECES, _PIECE = 32, 64
"""The number and the length of the pieces of text that the model reads to measure how large its logits are."""


def match_tokens(known: Vocabulary, wanted: Vocabulary, counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Matches the tokens of a text with those of a model, whose weights they start with.

    Args:
        known: the vocabulary of the model.
        wanted: the vocabulary of the text, of the same kind of tokens.
        counts: how often each token of `wanted` occurs in the text, `(wanted.size,)`.

    Returns:
        The id in `known` for each id in `wanted`, or `UNMATCHED`; `(wanted.size,)`.
    """
    id_of = {token: number for number, token in enumerate(known.tokens)}
    matches = np.array([id_of.get(token, UNMATCHED) for token in wanted.tokens])
    for number in np.flatnonzero(matches == UNMATCHED):
        matches[number] = id_of.get(_respell(wanted.tokens[number], known), UNMATCHED)
    if known.tokenizer.closed_vocabulary and counts[UNKNOWN_ID]:
        matches[UNKNOWN_ID] = UNMATCHED  # a model whose text had no [UNK] has learned that there is none
    return matches


def matched_share(matches: NDArray[np.int64], counts: NDArray[np.integer]) -> float:
    """Returns the share of a text's tokens that a model knows, from the result and the argument of `match_tokens`."""
    return float(counts[matches != UNMATCHED].sum() / counts.sum())


def with_vocabulary(
    model: ModelFile, vocabulary: Vocabulary, counts: NDArray[np.integer], ids: NDArray[np.integer] | StoredArray
) -> ModelFile:
    """Gives a model the vocabulary of a text.

    Args:
        model: the model.
        vocabulary: the vocabulary of the text, of the same kind of tokens.
        counts: how often each of its tokens occurs in the text, `(vocabulary.size,)`.
        ids: the ids of the text, or of a part of it.

    Returns:
        The model with the vocabulary and with tensors that fit it; everything else is unchanged.
    """
    matches = match_tokens(model.vocabulary, vocabulary, counts)
    unmatched = matches == UNMATCHED
    expected = np.maximum(counts, 1).astype(np.float64)
    total_by_match = np.bincount(matches[~unmatched], expected[~unmatched], model.vocabulary.size)
    weights = total_by_match / total_by_match.sum()

    def rows(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        taken = tensor[matches]
        taken[unmatched] = weights @ tensor
        return taken.astype(np.float32, copy=False)

    vectors = model.shape.token_vectors
    kernel = model.tensors[OUTPUT_KERNEL][:, matches]
    kernel[:, unmatched] = 0
    bias = model.tensors[OUTPUT_BIAS][matches].astype(np.float64)
    bias[~unmatched] += np.log(expected[~unmatched] / total_by_match[matches[~unmatched]])
    bias[unmatched] = -np.inf
    tensors = {**model.tensors, vectors: rows(model.tensors[vectors]), OUTPUT_KERNEL: kernel}
    shape = dataclasses.replace(model.shape, vocabulary_size=vocabulary.size)

    def changed(bias: NDArray[np.float64]) -> ModelFile:
        return dataclasses.replace(
            model, shape=shape, vocabulary=vocabulary, tensors={**tensors, OUTPUT_BIAS: bias.astype(np.float32)}
        )

    if unmatched.any():
        log_frequency = np.log(expected[unmatched] / expected.sum())
        bias[unmatched] = log_frequency + _usual_log_total(changed(bias), ids)
    return changed(bias)


def _usual_log_total(model: ModelFile, ids: NDArray[np.integer] | StoredArray) -> float:
    """Returns the median of `log_total`, from which a logit differs by the logarithm of a probability, while a model reads a text."""
    pieces = cut_pieces(ids, _PIECES, min(_PIECE, len(ids)))
    return float(np.median([log_total(logits) for logits in LSTMStep(model).read(pieces)]))


def cut_pieces(ids: NDArray[np.integer] | StoredArray, count: int, length: int) -> NDArray[np.integer]:
    """Cuts pieces from a text, evenly spread over it.

    Args:
        ids: the ids of the text, at least `length` of them.
        count: the number of pieces, which overlap if the text is too short for them.
        length: the length of each.

    Returns:
        The pieces, `(count, length)`.
    """
    starts = np.linspace(0, len(ids) - length, count).astype(np.int64)
    return np.stack([ids[start : start + length] for start in starts])


def _respell(token: str, known: Vocabulary) -> str:
    """Returns an unknown token with other quotes or dashes, which is then known, or else without accents."""
    tokens = read_prompt(token, known).tokens
    if len(set(tokens)) == 1 and not known.unknown(tokens):  # a dash may be read as two hyphens
        return tokens[0]
    return "".join(mark for mark in unicodedata.normalize("NFKD", token) if not unicodedata.combining(mark)) or token
