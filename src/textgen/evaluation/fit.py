"""Checks that a model can score a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.corpus import UNKNOWN_ID
from textgen.errors import DataError
from textgen.formatting import percent

if TYPE_CHECKING:
    from textgen.generation.scored_text import ScoredText

MOST_UNKNOWN = 0.5
"""The largest share of `[UNK]` with which a score still says something about a text."""


def refuse_unscored(scored: ScoredText, model: str, text: str) -> None:
    """Refuses a text of which nothing was predicted.

    Args:
        scored: the text, with the scores of the model.
        model: the model, for the message.
        text: the text, likewise.

    Raises:
        DataError: if the text is empty or has one token.
    """
    if not scored.characters:
        size = "one token" if len(scored) else "no token"
        raise DataError(f"{text} has {size} for {model}, and the first is never predicted; give a longer text")


def refuse_misfit(scored: ScoredText, model: str, text: str) -> None:
    """Refuses a text of which most tokens are `[UNK]`.

    Args:
        scored: as in `refuse_unscored`.
        model: likewise.
        text: likewise.

    Raises:
        DataError: if more than half of the tokens are.
    """
    if scored.unknown_share > MOST_UNKNOWN:
        raise DataError(f"{text} does not fit {model}: {describe_unknown(scored)}; use a model of such texts")


def describe_unknown(scored: ScoredText) -> str:
    """Returns the share of the tokens that are `[UNK]`, and lists them."""
    pairs = zip(scored.text.pieces, scored.text.ids, strict=True)
    unknown = list(dict.fromkeys(piece.strip() or piece for piece, token_id in pairs if token_id == UNKNOWN_ID))
    return f"{percent(scored.unknown_share)} of its tokens are [UNK], namely {scored.text.vocabulary.listed(unknown)}"
