"""The tokens that directly follow white space in some texts and never in others: punctuation and white space itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PUNCTUATION = tuple(",.;:!?")


def is_restricted(token: str) -> bool:
    """Returns whether a model may write a token directly after white space only if the training text has it there.

    These tokens are white space and `,.;:!?`. Whether a space precedes punctuation depends on the language: never in
    English, sometimes in French.
    """
    return token in _PUNCTUATION or token.isspace()


def longest_after_white_space(tokens: Iterable[str]) -> dict[str, list[str]]:
    """Returns the restricted tokens that could directly follow each white-space token in some text of words.

    A line break may follow any white space. Other white space follows only a line break, because a token is the longest
    possible run of it.

    Args:
        tokens: the vocabulary.
    """
    spaces = [token for token in tokens if token.isspace()]
    return {space: [*_PUNCTUATION, *(spaces if space == "\n" else ["\n"])] for space in spaces}
