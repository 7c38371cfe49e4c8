"""Ranks pairs of a model and a text: which author wrote this text, or which text is most like a model's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Pair:
    """The score that a model gives a text.

    Attributes:
        model: the model.
        text: the text.
        bits_per_character: see `ScoredText`.
        characters: the number of characters that were predicted.
        unknown_share: the share of the tokens that the model reads as `[UNK]`.
    """

    model: str
    text: str
    bits_per_character: float
    characters: int
    unknown_share: float


def rank(pairs: Iterable[Pair]) -> list[tuple[int | None, Pair]]:
    """Ranks the models for each text or, if there is one model, the texts.

    A score with `[UNK]` is too low, because a model never has to spell an unknown token. Such pairs come last, and have no rank.

    Args:
        pairs: the pairs, those of each text together.

    Returns:
        The pairs with their ranks from 1, the best first; equal scores share a rank.
    """
    pairs = list(pairs)
    if len({pair.model for pair in pairs}) == 1:
        return _rank_group(pairs)
    return [ranked for _, group in groupby(pairs, key=lambda pair: pair.text) for ranked in _rank_group(group)]


def _rank_group(pairs: Iterable[Pair]) -> list[tuple[int | None, Pair]]:
    ordered = sorted(pairs, key=lambda pair: (pair.unknown_share > 0, pair.bits_per_character))
    comparable = [pair.bits_per_character for pair in ordered if not pair.unknown_share]
    return [(None if pair.unknown_share else 1 + comparable.index(pair.bits_per_character), pair) for pair in ordered]
