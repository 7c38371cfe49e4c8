"""Gives a model another vocabulary, so that training on another text can start from its weights.

A token keeps the weights that the model has for it. A token that the model lacks takes those of a token that is printed
alike, if there is one: `’` those of `'`, and `é` those of `e`. Tokens that share weights share their probability, in
proportion to their frequencies in the text. Any other token is read as an average one, and predicted as often as it occurs.
"""  # noqa: RUF002 - as in print

from __future__ import annotations

import dataclasses
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import UNKNOWN_ID, Vocabulary
from textgen.generation.prompt import read_prompt
from textgen.generation.step import LSTMStep, log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.model_file import ModelFile

LACKING = -1
"""In the place of an id of the model, for a token that the model lacks."""

_PIECES, _PIECE = 32, 64
"""The number and the length of the pieces of text that the model reads to learn how large its logits are."""


def find_places(known: Vocabulary, wanted: Vocabulary, counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Finds the token of a model whose weights each token of a text starts with.

    Args:
        known: the vocabulary of the model.
        wanted: the vocabulary of the text, of the same kind of tokens.
        counts: how often each token of `wanted` occurs in the text, `(wanted.size,)`.

    Returns:
        The id in `known` for each id in `wanted`, or `LACKING`; `(wanted.size,)`.
    """
    id_of = {token: number for number, token in enumerate(known.tokens)}
    places = np.array([id_of.get(token, LACKING) for token in wanted.tokens])
    for number in np.flatnonzero(places == LACKING):
        places[number] = id_of.get(_respell(wanted.tokens[number], known), LACKING)
    if known.tokenizer.name == "char" and counts[UNKNOWN_ID]:
        places[UNKNOWN_ID] = LACKING  # a model whose text had no [UNK] has learned that there is none
    return places


def matched_share(places: NDArray[np.int64], counts: NDArray[np.integer]) -> float:
    """Returns the share of a text's tokens that a model knows, from the result and the argument of `find_places`."""
    return float(counts[places != LACKING].sum() / counts.sum())


def adopt(model: ModelFile, vocabulary: Vocabulary, counts: NDArray[np.integer], ids: NDArray[np.integer]) -> ModelFile:
    """Gives a model the vocabulary of a text.

    Args:
        model: the model.
        vocabulary: the vocabulary of the text, of the same kind of tokens.
        counts: how often each of its tokens occurs in the text, `(vocabulary.size,)`.
        ids: the ids of the text, or of a part of it.

    Returns:
        The model with the vocabulary and with tensors that fit it; everything else is unchanged.
    """
    places = find_places(model.vocabulary, vocabulary, counts)
    lacking = places == LACKING
    expected = np.maximum(counts, 1).astype(np.float64)
    total_by_place = np.bincount(places[~lacking], expected[~lacking], model.vocabulary.size)
    weights = total_by_place / total_by_place.sum()

    def rows(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        taken = tensor[places]
        taken[lacking] = weights @ tensor
        return taken.astype(np.float32, copy=False)

    vectors = "embedding" if "embedding" in model.tensors else "layers.0.kernel"
    kernel = model.tensors["output.kernel"][:, places]
    kernel[:, lacking] = 0
    bias = model.tensors["output.bias"][places].astype(np.float64)
    bias[~lacking] += np.log(expected[~lacking] / total_by_place[places[~lacking]])
    bias[lacking] = -np.inf
    changed = {vectors: rows(model.tensors[vectors]), "output.kernel": kernel, "output.bias": bias.astype(np.float32)}
    adopted = dataclasses.replace(model, vocabulary=vocabulary, tensors={**model.tensors, **changed})
    if lacking.any():
        frequency = expected[lacking] / expected.sum()
        changed["output.bias"][lacking] = np.log(frequency) + _usual_scale(adopted, ids)
    return adopted


def _usual_scale(model: ModelFile, ids: NDArray[np.integer]) -> float:
    """Returns the median logarithm of the sum of exp(logits), to which a logit compares, while a model reads a text."""
    length = min(_PIECE, len(ids))
    starts = np.linspace(0, len(ids) - length, _PIECES).astype(np.int64)
    pieces = np.stack([ids[start : start + length] for start in starts])
    return float(np.median([log_total(logits) for logits in LSTMStep(model).read(pieces)]))


def _respell(token: str, known: Vocabulary) -> str:
    """Returns an unknown token with other quotes or dashes, which is then known, or else without accents."""
    tokens = read_prompt(token, known).tokens
    if len(set(tokens)) == 1 and not known.unknown(tokens):  # a dash may be read as two hyphens
        return tokens[0]
    return "".join(mark for mark in unicodedata.normalize("NFKD", token) if not unicodedata.combining(mark)) or token
