r"""Splits texts into tokens, and joins tokens to texts.

There are three tokenizers, which split `Don't go, Ned.` as follows::

    char      every character                  D o n ' t   g o ,   N e d .
    word      words, punctuation and spaces    Don't   go ,   Ned .
    spaced    at white space                   Don't go, Ned.

`char` and `word` lose nothing. `spaced` is for pre-tokenized text (`do n't go , ned .`), and joins its tokens with the spacing of
printed English.

A model keeps the tokenizer of its text. So a change to how a tokenizer splits makes a new version of it, and the old version
stays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textgen.corpus.joiners import Joiner, SpacedJoiner
from textgen.corpus.words import split_words, split_words_without_marks
from textgen.errors import FormatError, UsageError
from textgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = "[UNK]"
"""The token for everything that a vocabulary lacks, named as in Keras."""


class LaterTokenizerError(FormatError):
    """A version of a tokenizer that only a later textgen has."""


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Splits texts into tokens and joins tokens to texts.

    A text may be cut after a line break, or before the first white space after something else. Its tokens are then the
    tokens of the parts.

    Attributes:
        lowercase: whether texts are first converted to lower case, which joining does not undo.
        name: `char`, `word` or `spaced`.
        version: the version of the split, from 1.
        start: the tokens that a model reads if there is no prompt: a blank line, or the end of a sentence.
        separator: the text between tokens in `plain`.
    """

    lowercase: bool = False
    name: ClassVar[str]
    version: ClassVar[int] = 1
    start: ClassVar[tuple[str, ...]] = ("\n", "\n")
    separator: ClassVar[str] = ""

    def split(self, text: str) -> list[str]:
        """Splits a text into tokens."""
        return self._split(self._set_case(text))

    def plain(self, text: str) -> str:
        """Returns the tokens of a text joined by `separator`, the form in which texts are searched for copies.

        Except for `spaced`, this is the text itself, in lower case if `lowercase`.
        """
        return self._set_case(text)

    def _set_case(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    @abstractmethod
    def _split(self, text: str) -> list[str]:
        """Splits a text that is already in lower case if `lowercase`."""

    def joiner(self, before: str = "") -> Joiner:  # noqa: ARG002 - `spaced` uses it
        """Returns a joiner of tokens, one at a time, that continues the text `before`."""
        return Joiner()

    def join(self, tokens: Iterable[str]) -> str:
        """Joins tokens to a text."""
        return "".join(map(self.joiner().add, tokens))


class CharTokenizer(Tokenizer):
    """Makes every character (code point) a token."""

    name = "char"

    def _split(self, text: str) -> list[str]:
        return list(text)


class WordTokenizer(Tokenizer):
    """Makes tokens of words, line breaks, runs of other white space, and all other characters.

    `don't` is one word. `well-known` is two words with a hyphen between them. `words` defines a word.
    """

    name = "word"
    version = 2

    def _split(self, text: str) -> list[str]:
        return split_words(text)


class FirstWordTokenizer(WordTokenizer):
    """The first version of `word`, in which a combining mark is a token of its own."""

    version = 1

    def _split(self, text: str) -> list[str]:
        return split_words_without_marks(text)


class SpacedTokenizer(Tokenizer):
    """Splits at white space, including line breaks; reads `<unk>` as `[UNK]`."""

    name = "spaced"
    start = (".",)
    separator = " "

    def _split(self, text: str) -> list[str]:
        unknown = {"<unk>", self._set_case(UNKNOWN)}
        return [UNKNOWN if token in unknown else token for token in text.split()]

    def plain(self, text: str) -> str:
        """Returns the tokens of a text joined by `separator`; see `Tokenizer.plain`."""
        return self.separator.join(self.split(text))

    def joiner(self, before: str = "") -> Joiner:
        """Returns a joiner with the spacing of printed English, which continues the text `before`."""
        return SpacedJoiner(before)


_TOKENIZERS: dict[str, tuple[type[Tokenizer], ...]] = {
    "char": (CharTokenizer,),
    "word": (FirstWordTokenizer, WordTokenizer),
    "spaced": (SpacedTokenizer,),
}
"""The versions of each tokenizer, oldest first."""


def make_tokenizer(name: str, lowercase: bool = False, version: int | None = None) -> Tokenizer:
    """Makes a tokenizer.

    Args:
        name: `char`, `word` or `spaced`.
        lowercase: whether texts are first converted to lower case.
        version: the version of the split, from 1; None is the latest.

    Returns:
        A tokenizer. Tokenizers of the same name, case and version are equal.

    Raises:
        UsageError: if there is no tokenizer of this name.
        LaterTokenizerError: if it has no such version yet.
    """
    if name not in _TOKENIZERS:
        raise UsageError(f"there is no tokenizer {name!r}: choose one of {', '.join(_TOKENIZERS)}")
    versions = _TOKENIZERS[name]
    latest = len(versions)
    if version is None:
        version = latest
    if version > latest:
        raise LaterTokenizerError(
            f"its {name} split has version {version}, and textgen {__version__} knows up to version {latest}; upgrade textgen"
        )
    return versions[version - 1](lowercase)
