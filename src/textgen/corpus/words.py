"""Splits texts into words and everything between them.

A word is letters, digits and underscores, with the combining marks, joiners and non-joiners that follow them: `हिन्दी` is
one word, and so is `é`, whether it is one code point or an `e` and an accent. Python's `re` has no class for combining
marks, so the patterns list them. The patterns are compiled when the first text is split, because most commands split none.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from textgen.corpus.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable

_JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner, which shape the letters around them

# The blocks where Unicode has combining marks, or may add some. The gaps are Chinese, Korean, Tangut and private characters.
_BLOCKS_WITH_MARKS = (
    range(0x300, 0x3400),
    range(0xA000, 0xAC00),
    range(0xF900, 0x17000),
    range(0x1B000, 0x20000),
    range(0xE0100, 0xE01F0),
)
_FIRST_MARK = "\u0300"

# A line break, other white space, or any other character. Together with words, these cover every text.
_BETWEEN_WORDS = r"\n|[^\S\n]+|[^\w\s]"

_APOSTROPHE = "['’]"  # noqa: RUF001 - as in print

_PUNCTUATION = tuple(",.;:!?")


class WordTokenizer(Tokenizer):
    """Makes tokens of words, line breaks, runs of other white space, and all other characters.

    `don't` is one word. `well-known` is two words with a hyphen between them.
    """

    name = "word"
    version = 2
    noun = "words"
    other_tokens = "punctuation and spaces"
    characters_per_token = 4.5
    whole_words = True
    guards_spacing = True
    tokenizer_for_files = "spaced"

    def _split(self, text: str) -> list[str]:
        return split_words(text)


class FirstWordTokenizer(WordTokenizer):
    """The first version of `word`, in which a combining mark is a token of its own."""

    version = 1

    def _split(self, text: str) -> list[str]:
        return split_words_without_marks(text)


def split_words(text: str) -> list[str]:
    """Splits a text into words with any apostrophes inside them, line breaks, other white space, and other characters."""
    return _word_tokens().findall(text)


def split_words_without_marks(text: str) -> list[str]:
    """Splits a text as the first version did, in which a combining mark or a joiner ends a word."""
    return _word_tokens_without_marks().findall(text)


def split_at_apostrophes(text: str) -> list[str]:
    """Returns the words and the other characters of a text, without white space. Apostrophes end words."""
    return _words_and_punctuation().findall(text)


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


@cache
def combining_marks() -> str:
    """Returns the characters of Unicode's categories Mn, Mc and Me, in order."""
    characters = (chr(code) for block in _BLOCKS_WITH_MARKS for code in block)
    return "".join(character for character in characters if unicodedata.category(character).startswith("M"))


@cache
def _word() -> str:
    """Returns the pattern of a word without apostrophes.

    `re` looks a character below U+10000 up in a table, and compares any other with one range after another. Hence the
    two classes, and the look-ahead before the second. Only single characters have possessive quantifiers: before Python
    3.11.5 those of groups match too much (https://github.com/python/cpython/issues/106052).
    """
    marks = combining_marks() + _JOINERS
    low, high = ("".join(filter(belongs, marks)) for belongs in ("\uffff".__ge__, "\uffff".__lt__))
    return rf"\w++[\w{low}]*+(?:(?=[\U00010000-\U0010ffff])[{high}][\w{low}]*+)*"


@cache
def _word_tokens() -> re.Pattern[str]:
    """Compiles the pattern; most words end where no mark can follow, and are found by its first branch, the fastest."""
    word = _word()
    plain_word = rf"\w++(?!['{_FIRST_MARK}-\U0010ffff])"
    return re.compile(rf"{plain_word}|{word}(?:{_APOSTROPHE}{word})*|{_BETWEEN_WORDS}")


@cache
def _word_tokens_without_marks() -> re.Pattern[str]:
    return re.compile(rf"\w+(?:{_APOSTROPHE}\w+)*|{_BETWEEN_WORDS}")


@cache
def _words_and_punctuation() -> re.Pattern[str]:
    return re.compile(rf"{_word()}|[^\w\s]")
