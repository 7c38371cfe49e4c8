r"""Text <-> tokens, defined here and nowhere else; knows nothing of ids.

Three ways to part a text, and how each parts `Don't go, Ned.`::

    char      every character                  D o n ' t   g o ,   N e d .
    word      words, marks and spaces          Don't   go ,   Ned .
    spaced    what white space parts           Don't go, Ned.

`char` and `word` lose nothing. `spaced` is for a text that someone has parted already (`do n't go , ned .`), and gives
it the spaces of printed English back.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textgen.corpus.joiners import Joiner, SpacedJoiner
from textgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = "[UNK]"
"""The token that stands for all that a vocabulary lacks; Keras' name for it."""

# A word with any apostrophes inside it, a line end, other white space, any other character: nothing is left over.
_WORD_TOKENS = re.compile(r"\w+(?:['’]\w+)*|\n|[^\S\n]+|[^\w\s]")  # noqa: RUF001 - as in print


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Parts texts into tokens and joins tokens to texts.

    A text may be cut behind a line end, and before white space that follows something else: its tokens are then those
    of the parts.

    Attributes:
        lowercase: whether texts are lower-cased first; joining then gives the lower-cased text.
        name: `char`, `word` or `spaced`.
        start: the tokens that a model reads when there is no prompt; a text begins behind them: a blank line, for lines.
        separator: what stands between tokens in `plain`.
    """

    lowercase: bool = False
    name: ClassVar[str]
    start: ClassVar[tuple[str, ...]] = ("\n", "\n")
    separator: ClassVar[str] = ""

    def split(self, text: str) -> list[str]:
        """Parts a text into tokens."""
        return self._split(self._settle(text))

    def plain(self, text: str) -> str:
        """Returns a text as its tokens stand in it, one behind the other: the form in which texts are searched for copies.

        It is the text itself, lower-cased if texts are; a spaced text is its tokens, joined by `separator`.
        """
        return self._settle(text)

    def _settle(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    @abstractmethod
    def _split(self, text: str) -> list[str]:
        """Parts a text whose case is settled."""

    def joiner(self, before: str = "") -> Joiner:  # noqa: ARG002 - of use to `spaced`
        """Returns what joins tokens one by one, going on from the text `before`."""
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
    """Words, line ends, runs of other white space, and single other characters are tokens.

    `don't` is one word; `well-known` is two, with a hyphen between them.
    """

    name = "word"

    def _split(self, text: str) -> list[str]:
        return _WORD_TOKENS.findall(text)


class SpacedTokenizer(Tokenizer):
    """Tokens are what white space parts; `<unk>` is `[UNK]`. Line ends are white space like any other."""

    name = "spaced"
    start = (".",)
    separator = " "

    def _split(self, text: str) -> list[str]:
        unknown = {"<unk>", self._settle(UNKNOWN)}
        return [UNKNOWN if token in unknown else token for token in text.split()]

    def plain(self, text: str) -> str:
        """Returns the tokens of a text joined by `separator`; see `Tokenizer.plain`."""
        return self.separator.join(self.split(text))

    def joiner(self, before: str = "") -> Joiner:
        """Returns what joins tokens one by one, with spaces as in print, going on from the text `before`."""
        return SpacedJoiner(before)


_TOKENIZERS: dict[str, type[Tokenizer]] = {kind.name: kind for kind in (CharTokenizer, WordTokenizer, SpacedTokenizer)}


def make_tokenizer(name: str, lowercase: bool = False) -> Tokenizer:
    """Makes the tokenizer of a name.

    Args:
        name: `char`, `word` or `spaced`.
        lowercase: whether texts are lower-cased first.

    Returns:
        A tokenizer; two of the same name and case are equal.

    Raises:
        UsageError: there is no tokenizer of this name.
    """
    if name not in _TOKENIZERS:
        raise UsageError(f"there is no tokenizer {name!r}: choose one of {', '.join(_TOKENIZERS)}")
    return _TOKENIZERS[name](lowercase)
