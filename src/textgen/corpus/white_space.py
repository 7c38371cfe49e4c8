"""Which tokens a text decides about when it puts them, or never puts them, after white space."""

from __future__ import annotations

_PUNCTUATION = frozenset(",.;:!?")


def is_bound(token: str) -> bool:
    """Whether habit decides if a token may follow white space: more white space, and the punctuation `,.;:!?`.

    English never has a space before these, French has one before some of them.
    """
    return token in _PUNCTUATION or token.isspace()
