"""Defines what a tokenizer is: everything in which kinds of tokens differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

UNKNOWN = "[UNK]"
"""The token for everything that a vocabulary lacks, named as in Keras."""


class Joiner:
    """Joins tokens that include the white space of their text, by concatenating them."""

    def add(self, token: str) -> str:
        """Takes the next token.

        Args:
            token: a token of the tokenizer.

        Returns:
            The text that the token adds.
        """
        return token

    def look_ahead(self, token: str) -> str:
        """Returns the text that a token would add, without taking it."""
        return token


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Splits texts into tokens and joins tokens to texts.

    No token is empty. A text may be cut after a line break, or before the first white space after something else. Its tokens are
    then the tokens of the parts.

    A new kind of token is a subclass, an entry in the table of `tokenizers` and, for users to choose it, a value of the setting
    `language_model`. No code compares the names of tokenizers: what it needs to know about the tokens is one of these attributes.

    Attributes:
        lowercase: whether texts are first converted to lower case, which joining does not undo.
        name: the name of the tokenizer in files and, unless its vocabularies come from files, in `language_model`.
        version: the version of the split, from 1.
        noun: what the tokens are, in the plural.
        other_tokens: what those tokens are that the noun does not cover; empty if there are none.
        start: the tokens that a model reads if there is no prompt: a blank line, or the end of a sentence.
        separator: the text between tokens in `plain`.
        characters_per_token: the approximate mean length of a token in English, including separators.
        whole_words: whether a token with a letter or digit in it is always a whole word.
        closed_vocabulary: whether a vocabulary is made from all sections of a text, none of which then needs `[UNK]`; otherwise it
            is made from the training section.
        guards_spacing: whether a model writes punctuation and white space directly after white space only if the training text
            has them there; see `is_restricted`.
        tokenizer_for_files: the name of the tokenizer for a text with a vocabulary file; empty if such a file is ignored.
        vocabulary_from_file: whether its vocabularies come from files.
        finer_splits: ways to split a token of a prompt that the vocabulary lacks, from the coarsest to the finest.
    """

    lowercase: bool = False
    name: ClassVar[str]
    version: ClassVar[int] = 1
    noun: ClassVar[str]
    other_tokens: ClassVar[str] = ""
    start: ClassVar[tuple[str, ...]] = ("\n", "\n")
    separator: ClassVar[str] = ""
    characters_per_token: ClassVar[float]
    whole_words: ClassVar[bool] = False
    closed_vocabulary: ClassVar[bool] = False
    guards_spacing: ClassVar[bool] = False
    tokenizer_for_files: ClassVar[str] = ""
    vocabulary_from_file: ClassVar[bool] = False
    finer_splits: ClassVar[tuple[Callable[[str], list[str]], ...]] = ()

    @property
    def description(self) -> str:
        """What all tokens are, in the plural."""
        return ", ".join(filter(None, (self.noun, self.other_tokens)))

    @property
    def one_character(self) -> bool:
        """Whether every token is one character."""
        return self.characters_per_token == 1

    def fit(self, texts: Iterable[str]) -> Self:  # noqa: ARG002 - for tokenizers that are made from a text
        """Returns the tokenizer with whatever it has to learn from the training text; characters and words need nothing.

        Args:
            texts: the training text, in pieces.
        """
        return self

    def split(self, text: str) -> list[str]:
        """Splits a text into tokens."""
        return self._split(self._set_case(text))

    def count(self, texts: Iterable[str]) -> Counter[str]:
        """Counts the tokens of a text.

        Args:
            texts: the text, in pieces.

        Returns:
            The tokens with their counts, in no particular order.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(self.split(text))
        return counts

    def plain(self, text: str) -> str:
        """Returns the tokens of a text joined by `separator`, the form in which texts are searched for copies.

        Without a separator, this is the text itself, in lower case if `lowercase`.
        """
        return self.separator.join(self.split(text)) if self.separator else self._set_case(text)

    def joiner(self, before: str = "") -> Joiner:  # noqa: ARG002 - for tokens whose spacing depends on it
        """Returns a joiner of tokens, one at a time, that continues the text `before`."""
        return Joiner()

    def join(self, tokens: Iterable[str]) -> str:
        """Joins tokens to a text."""
        return "".join(map(self.joiner().add, tokens))

    def to_json(self) -> dict[str, Any]:
        """Returns the part of a `vocabulary.json` that `tokenizer_from_json` reads.

        A subclass adds whatever else determines its tokens, under other names than `sha256` and `tokens`. The hash of a vocabulary
        covers all of it.
        """
        return {"tokenizer": self.name, "tokenizer_version": self.version, "lowercase": self.lowercase}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Makes a tokenizer of this class from the result of `to_json`.

        Args:
            content: the object, whose name, version and lowercase have been checked.

        Raises:
            FormatError: if anything that a subclass adds is damaged.
        """
        return cls(content["lowercase"])

    def is_like(self, other: Tokenizer) -> bool:
        """Returns whether another tokenizer makes the same kind of tokens, perhaps in another case or version."""
        return self.name == other.name

    def _set_case(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    @abstractmethod
    def _split(self, text: str) -> list[str]:
        """Splits a text that is already in lower case if `lowercase`."""
