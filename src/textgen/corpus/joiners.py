"""Tokens -> text, one token at a time; knows nothing of how the text was split."""

from __future__ import annotations

import re

from textgen.corpus.words import split_at_apostrophes

_OPENING = frozenset(["(", "[", "{", "“", "‘", "«", "``", "$", "£", "€", "#"])  # noqa: RUF001 - as in print
_CLOSING = frozenset([",", ".", ";", ":", "!", "?", "...", "…", ")", "]", "}", "%", "”", "»", "''"])
_STRAIGHT_QUOTE = '"'
_STRAIGHT_APOSTROPHE = "'"
_APOSTROPHES = frozenset([_STRAIGHT_APOSTROPHE, "’"])  # noqa: RUF001 - as in print

# What follows an apostrophe (it's, don't) or precedes one (o'clock, M'Nicholl, d'Avezac) in the same word.
_AFTER_APOSTROPHE = frozenset(["s", "t", "m", "d", "ll", "re", "ve"])
_BEFORE_APOSTROPHE = frozenset(["o", "d", "l", "m"])
_CONTRACTION = re.compile(rf"(?:n['’]t|['’](?:{'|'.join(sorted(_AFTER_APOSTROPHE))}))", re.IGNORECASE)  # noqa: RUF001


class Joiner:
    """Joins tokens that contain their own white space: the text is the tokens, one after the other."""

    def add(self, token: str) -> str:
        """Takes the next token.

        Args:
            token: a token of the tokenizer.

        Returns:
            What it adds to the text.
        """
        return token


class SpacedJoiner(Joiner):
    r"""Joins tokens that have lost their white space, with the spaces of printed English.

    A straight quote can open or close, so every second `"` closes. A `'` after a word is an apostrophe or closes;
    elsewhere it closes what is open, or opens. This is decided token by token, without looking ahead, and so is wrong
    where a quotation follows a word: `the ' duncan '` becomes `the' duncan'`.

    Example:
        >>> joiner = SpacedJoiner()
        >>> "".join(map(joiner.add, '" it \' s late , " he said .'.split()))
        '"it\'s late," he said.'

    Args:
        before: the text to continue, with printed or spaced punctuation; quotes may be open in it.
    """

    def __init__(self, before: str = "") -> None:
        self._previous = ""
        self._apostrophed = ""  # the word before the last token, if that was an apostrophe
        self._glued = True  # the next token follows without a space
        self._in_double_quotes = False
        self._in_single_quotes = False
        for token in split_at_apostrophes(before):
            self.add(token)
        if before[-1:].isspace():
            self._glued = True

    def add(self, token: str) -> str:
        """Takes the next token; see `Joiner.add`."""
        opens, closes = self._place(token)
        text = token if closes or self._glued else f" {token}"
        self._glued = opens
        self._previous = token
        return text

    def _place(self, token: str) -> tuple[bool, bool]:
        """Returns whether the next token follows this one without a space, and whether this one follows so itself."""
        word, self._apostrophed = self._apostrophed, ""
        if word:
            if token.lower() in _AFTER_APOSTROPHE or word.lower() in _BEFORE_APOSTROPHE:
                return False, True
            self._in_single_quotes = not self._in_single_quotes  # it was a quotation mark
        if token == _STRAIGHT_QUOTE:
            self._in_single_quotes = False
            self._in_double_quotes = not self._in_double_quotes
            return self._in_double_quotes, not self._in_double_quotes
        if token in _APOSTROPHES:
            if any(map(str.isalnum, self._previous)):
                self._apostrophed = self._previous
                return False, True
            self._in_single_quotes = token == _STRAIGHT_APOSTROPHE and not self._in_single_quotes
            return self._in_single_quotes, not self._in_single_quotes
        return token in _OPENING, token in _CLOSING or _CONTRACTION.fullmatch(token) is not None
