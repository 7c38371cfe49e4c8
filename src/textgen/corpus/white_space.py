"""Which tokens a text decides about when it puts them, or never puts them, directly after white space."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PUNCTUATION = tuple(",.;:!?")


def is_bound(token: str) -> bool:
    """Returns whether a token is white space or one of `,.;:!?`.

    Whether these may follow white space depends on the language: English has no space before them, French has one before
    some of them.
    """
    return token in _PUNCTUATION or token.isspace()


def longest_after_white_space(tokens: Iterable[str]) -> dict[str, list[str]]:
    """Returns everything that may directly follow white space in a text of words, by white-space token.

    A line break may follow any white space. Other white space follows only a line break, because it is split into runs as
    long as possible.

    Args:
        tokens: the vocabulary.
    """
    spaces = [token for token in tokens if token.isspace()]
    return {space: [*_PUNCTUATION, *(spaces if space == "\n" else ["\n"])] for space in spaces}
