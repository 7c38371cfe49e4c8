"""Calculates the dropout for a run. It rises with the number of passes over the text, and falls with the length of the text."""

from __future__ import annotations

from textgen.planning.interpolation import interpolated

_POINTS: dict[tuple[str, bool], tuple[tuple[float, float], ...]] = {
    ("char", False): ((8, 0.1), (20, 0.3), (40, 0.5)),
    ("char", True): ((16, 0.1), (40, 0.3), (90, 0.5)),
    ("word", False): ((0.7, 0.1), (1.5, 0.3), (3, 0.6)),
    ("word", True): ((0.7, 0.1), (3, 0.3), (8, 0.5)),
}
"""Pairs of a number of passes and the dropout for them, by the kind of tokens and whether training starts from another model."""
_CHARACTERS = 1_000_000
"""The length of the text, in characters, for which the passes above were measured."""
_SHORT = 200_000
"""For shorter texts, only the number of passes matters."""
_POWER = 0.7
"""The power of the length of the text that the number of passes is scaled by: 13 passes over 200,000 characters need as much dropout
as 40 over a million."""


def dropout(passes: float, characters: int, language_model: str, *, started: bool) -> float:
    """Returns the fraction of each layer's outputs to drop.

    Args:
        passes: the number of passes over the text that the whole job will make.
        characters: the length of the text.
        language_model: `char` or `word`; models of words have more weights per token, and need more.
        started: whether training starts from another model.
    """
    if language_model == "char":
        passes *= (_CHARACTERS / max(_SHORT, characters)) ** _POWER
    return round(interpolated(_POINTS[language_model, started], passes), 2)
