r"""Lists the tokenizers.

They split `Don't go, Ned.` as follows::

    char      every character                  D o n ' t   g o ,   N e d .
    word      words, punctuation and spaces    Don't   go ,   Ned .
    spaced    at white space                   Don't go, Ned.

`char` and `word` lose nothing. `spaced` is for pre-tokenized text (`do n't go , ned .`), and joins its tokens with the spacing of
printed English.

A model keeps the tokenizer of its text. So a change to how a tokenizer splits makes a new version of it, and the old version
stays.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from textgen.corpus.pretokenized import PretokenizedTokenizer
from textgen.corpus.tokenizer import Tokenizer
from textgen.corpus.words import FirstWordTokenizer, WordTokenizer
from textgen.errors import FormatError, UsageError
from textgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CODE_POINTS = 0x110000
_LONGEST_NAME = 64


class LaterTokenizerError(FormatError):
    """A tokenizer, or a version of one, that only a later textgen has."""


class CharTokenizer(Tokenizer):
    """Makes every character (code point) a token."""

    name = "char"
    noun = "characters"
    characters_per_token = 1
    closed_vocabulary = True

    def _split(self, text: str) -> list[str]:
        return list(text)

    def count(self, texts: Iterable[str]) -> Counter[str]:
        """Counts code points as numbers, which is many times faster than counting strings; see `Tokenizer.count`."""
        import numpy as np

        totals = np.zeros(_CODE_POINTS, np.int64)
        for text in map(self._set_case, texts):
            counts = np.bincount(np.frombuffer(text.encode("utf-32-le"), "<u4"))
            totals[: len(counts)] += counts
        return Counter({chr(code): int(totals[code]) for code in np.flatnonzero(totals)})


_TOKENIZERS: dict[str, tuple[type[Tokenizer], ...]] = {
    "char": (CharTokenizer,),
    "word": (FirstWordTokenizer, WordTokenizer),
    "spaced": (PretokenizedTokenizer,),
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
    return _find(name, version)(lowercase)


def tokenizer_from_json(content: Mapping[str, Any]) -> Tokenizer:
    """Makes a tokenizer from the result of `Tokenizer.to_json`.

    Args:
        content: the object, with or without other entries. Without a `tokenizer_version`, the first version is meant.

    Raises:
        FormatError: if it is damaged.
        LaterTokenizerError: if only a later textgen has this tokenizer.
    """
    name, version = content.get("tokenizer"), content.get("tokenizer_version", 1)
    if not isinstance(name, str) or not isinstance(content.get("lowercase"), bool):
        raise FormatError("its tokenizer is not named, or lowercase is not true or false")
    if type(version) is not int or version < 1:
        raise FormatError("its tokenizer_version is not a whole number from 1")
    if name not in _TOKENIZERS:
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise FormatError("its tokenizer has no name that a tokenizer can have")
        raise LaterTokenizerError(
            f"its tokenizer is {name!r}, which textgen {__version__} does not know; upgrade textgen"
        )
    return _find(name, version).from_json(content)


def all_versions(tokenizer: Tokenizer) -> list[Tokenizer]:
    """Returns all versions of a tokenizer, the latest first."""
    content = tokenizer.to_json()
    return [version.from_json(content) for version in reversed(_TOKENIZERS[tokenizer.name])]


def language_models() -> list[str]:
    """Returns the names of the tokenizers that need no vocabulary file, which are the values of `language_model`."""
    return [name for name, versions in _TOKENIZERS.items() if not versions[-1].vocabulary_from_file]


def _find(name: str, version: int | None) -> type[Tokenizer]:
    versions = _TOKENIZERS[name]
    latest = len(versions)
    if version is not None and version > latest:
        raise LaterTokenizerError(
            f"its {name} split has version {version}, and textgen {__version__} knows up to version {latest}; upgrade textgen"
        )
    return versions[-1 if version is None else version - 1]
