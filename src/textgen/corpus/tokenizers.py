r"""Text <-> tokens; knows nothing of ids.

Three ways to split a text, and how each splits `Don't go, Ned.`::

    char      every character                  D o n ' t   g o ,   N e d .
    word      words, punctuation and spaces    Don't   go ,   Ned .
    spaced    at white space                   Don't go, Ned.

`char` and `word` lose nothing. `spaced` is for a text that is split already (`do n't go , ned .`), and restores the
spaces of printed English.

A model keeps the tokenizer that its text was split with. So what splits a text differently is a new version of a
tokenizer, and the old one stays.
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
"""The token for everything that a vocabulary lacks, by its name in Keras."""


class LaterTokenizerError(FormatError):
    """Only a later textgen has this version of a tokenizer."""


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Splits texts into tokens and joins tokens to texts.

    A text may be cut after a line break, and before white space that follows something else: its tokens are then those
    of the parts.

    Attributes:
        lowercase: whether texts are lower-cased first; joining then gives the lower-cased text.
        name: `char`, `word` or `spaced`.
        version: the number of the split among those that the name has had, from 1.
        start: the tokens that a model reads when there is no prompt: a blank line, or the end of a sentence.
        separator: what is between tokens in `plain`.
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
        """Returns a text as its tokens joined by `separator`: the form in which texts are searched for copies.

        It is the text itself, lower-cased if texts are, unless the text is spaced.
        """
        return self._set_case(text)

    def _set_case(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    @abstractmethod
    def _split(self, text: str) -> list[str]:
        """Splits a text that is lower-cased if texts are."""

    def joiner(self, before: str = "") -> Joiner:  # noqa: ARG002 - `spaced` uses it
        """Returns what joins tokens one by one, continuing the text `before`."""
        return Joiner()

    def join(self, tokens: Iterable[str]) -> str:
        """Joins tokens to a text."""
        return "".join(map(self.joiner().add, tokens))


class CharTokenizer(Tokenizer):
    """Every character (code point) is a token."""

    name = "char"

    def _split(self, text: str) -> list[str]:
        return list(text)


class WordTokenizer(Tokenizer):
    """Words, line breaks, runs of other white space, and single other characters are tokens.

    `don't` is one word; `well-known` is two, with a hyphen between them. See `words` for what a word is.
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
    """Tokens are what white space separates; `<unk>` is `[UNK]`. Line breaks are white space like any other."""

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
        """Returns what joins tokens one by one, with spaces as in print, continuing the text `before`."""
        return SpacedJoiner(before)


_TOKENIZERS: dict[str, tuple[type[Tokenizer], ...]] = {
    "char": (CharTokenizer,),
    "word": (FirstWordTokenizer, WordTokenizer),
    "spaced": (SpacedTokenizer,),
}
"""The versions of each tokenizer, the first one first."""


def make_tokenizer(name: str, lowercase: bool = False, version: int | None = None) -> Tokenizer:
    """Makes a tokenizer.

    Args:
        name: `char`, `word` or `spaced`.
        lowercase: whether texts are lower-cased first.
        version: that of the split, from 1; None is the latest.

    Returns:
        A tokenizer; two of the same name, case and version are equal.

    Raises:
        UsageError: there is no tokenizer of this name.
        LaterTokenizerError: there is none of this version yet.
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
