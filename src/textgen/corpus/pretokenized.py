"""Splits pre-tokenized text, such as `do n't go , ned .`, and joins its tokens with the spacing of printed English."""

from __future__ import annotations

import re
from copy import copy

from textgen.corpus.tokenizer import UNKNOWN, Joiner, Tokenizer
from textgen.corpus.words import split_at_apostrophes, split_words

_OPENING = frozenset(["(", "[", "{", "“", "‘", "«", "``", "$", "£", "€", "#"])  # noqa: RUF001 - as in print
_CLOSING = frozenset([",", ".", ";", ":", "!", "?", "...", "…", ")", "]", "}", "%", "”", "»", "''"])
_STRAIGHT_QUOTE = '"'
_STRAIGHT_APOSTROPHE = "'"
_APOSTROPHES = frozenset([_STRAIGHT_APOSTROPHE, "’"])  # noqa: RUF001 - as in print

# The parts of a word that follow an apostrophe (it's, don't) or precede one (o'clock, M'Nicholl, d'Avezac).
_AFTER_APOSTROPHE = frozenset(["s", "t", "m", "d", "ll", "re", "ve"])
_BEFORE_APOSTROPHE = frozenset(["o", "d", "l", "m"])
_CONTRACTION = re.compile(rf"(?:n['’]t|['’](?:{'|'.join(sorted(_AFTER_APOSTROPHE))}))", re.IGNORECASE)  # noqa: RUF001


class PretokenizedTokenizer(Tokenizer):
    """Splits at white space, including line breaks; reads `<unk>` as `[UNK]`.

    A prompt is not pre-tokenized, and nothing is known about how its text was. So a token that the vocabulary lacks is split as for a
    word model and, if it is still unknown, at its apostrophes: `don't go,` -> `don`, `'`, `t`, `go`, `,`.
    """

    name = "spaced"
    noun = "pre-tokenized words"
    start = (".",)
    separator = " "
    characters_per_token = 4.5
    whole_words = True
    vocabulary_from_file = True
    finer_splits = (split_words, split_at_apostrophes)

    def _split(self, text: str) -> list[str]:
        unknown = {"<unk>", self._set_case(UNKNOWN)}
        return [UNKNOWN if token in unknown else token for token in text.split()]

    def joiner(self, before: str = "") -> Joiner:
        """Returns a joiner with the spacing of printed English, which continues the text `before`."""
        return PrintedJoiner(before)


class PrintedJoiner(Joiner):
    r"""Joins tokens without white space, with the spacing of printed English.

    Straight quotes are ambiguous. Every second `"` is taken as closing. A `'` after a word is taken as an apostrophe or a closing
    quote; elsewhere it closes an open quotation, or opens one. Each token is placed without looking ahead, so a quotation after a
    word goes wrong: `the ' duncan '` becomes `the' duncan'`.

    Example:
        >>> joiner = PrintedJoiner()
        >>> "".join(map(joiner.add, '" it \' s late , " he said .'.split()))
        '"it\'s late," he said.'

    Args:
        before: the text to continue, with printed or pre-tokenized punctuation. It may contain an open quotation.
    """

    def __init__(self, before: str = "") -> None:
        self._previous = ""
        self._apostrophed = ""  # the word before the last token, if that was an apostrophe
        self._glued = True  # whether the next token follows without a space
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

    def look_ahead(self, token: str) -> str:
        """Returns the text that a token would add; see `Joiner.look_ahead`."""
        return copy(self).add(token)

    def _place(self, token: str) -> tuple[bool, bool]:
        """Returns whether the next token follows this one without a space, and whether this one follows the last one so."""
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
