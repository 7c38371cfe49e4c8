"""Tokens <-> token ids; knows nothing of files but the one that lists a vocabulary."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textgen.corpus.reading import read_chunks
from textgen.corpus.tokenizers import UNKNOWN, Tokenizer, make_tokenizer
from textgen.corpus.words import split_at_apostrophes
from textgen.errors import DataError, FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from textgen.corpus.section import Section

__all__ = [
    "FIRST_TOKEN_ID",
    "PADDING",
    "UNKNOWN",
    "UNKNOWN_ID",
    "Vocabulary",
    "count_tokens",
    "keep_most_frequent",
    "read_vocabulary_file",
]

PADDING = ""
"""The token of id 0, which fills up a stream that is over."""

UNKNOWN_ID = 1
"""The id of `[UNK]`."""

FIRST_TOKEN_ID = 2
"""The id of the first token proper, after the padding and `[UNK]`."""

_CODE_POINTS = 0x110000
_MOST_LISTED = 10


@dataclass(frozen=True)
class Vocabulary:
    """The tokens a model knows, and their ids; the ids are those of Keras' `TextVectorization`.

    Attributes:
        tokens: in id order: the padding, `[UNK]`, then the tokens proper, which are distinct.
        tokenizer: what splits texts into these tokens.
    """

    tokens: tuple[str, ...]
    tokenizer: Tokenizer

    @property
    def size(self) -> int:
        """The number of ids, the padding and `[UNK]` included."""
        return len(self.tokens)

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """Looks tokens up; unknown ones are `[UNK]`."""
        id_of = self._id_of
        return [id_of.get(token, UNKNOWN_ID) for token in tokens]

    def encode(self, text: str) -> list[int]:
        """Turns a text into ids."""
        return self.ids(self.tokenizer.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        """Turns ids into a text; the padding is left out, an unknown token shows as `[UNK]`."""
        return self.tokenizer.join(self.tokens[number] for number in ids if number)

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """Returns the tokens that the vocabulary lacks, each once, in their order."""
        return list(dict.fromkeys(token for token in tokens if token not in self._id_of))

    @staticmethod
    def listed(tokens: list[str]) -> str:
        """Lists up to ten tokens for a message: `'x', 'é' and 2 more`."""
        more = f" and {len(tokens) - _MOST_LISTED} more" if len(tokens) > _MOST_LISTED else ""
        return ", ".join(map(repr, tokens[:_MOST_LISTED])) + more

    def split_prompt(self, text: str) -> list[str]:
        """Splits a text that someone typed, as in print, into tokens.

        The text of a spaced vocabulary came with its punctuation split from its words, in a way of its own. So what is
        between spaces and unknown is split as for a word model, and if need be at the apostrophes: `don't go,` ->
        `don`, `'`, `t`, `go`, `,`.
        """
        tokens = self.tokenizer.split(text)
        if self.tokenizer.name == "spaced":
            for split in (make_tokenizer("word").split, split_at_apostrophes):
                tokens = [part for token in tokens for part in ([token] if token in self._id_of else split(token))]
        return tokens

    @cached_property
    def sha256(self) -> str:
        """The hash, in hex, of everything that decides which ids a text has."""
        tokenizer = self.tokenizer
        content = [tokenizer.name, tokenizer.lowercase, self.tokens]
        if tokenizer.version > 1:  # as it was before there were versions
            content.append(tokenizer.version)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Returns what `from_json` reads."""
        return {
            "tokenizer": self.tokenizer.name,
            "tokenizer_version": self.tokenizer.version,
            "lowercase": self.tokenizer.lowercase,
            "sha256": self.sha256,
            "tokens": list(self.tokens),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Vocabulary:
        """Reads what `to_json` wrote.

        Args:
            content: the object of a `vocabulary.json`. One without a `tokenizer_version` is of the first version.

        Returns:
            The vocabulary.

        Raises:
            FormatError: it is not what `to_json` wrote.
            LaterTokenizerError: only a later textgen has its tokenizer.
        """
        tokens, name, lowercase = content.get("tokens"), content.get("tokenizer"), content.get("lowercase")
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise _describe_damage("its tokens are not a list of strings")
        if tokens[:2] != [PADDING, UNKNOWN]:
            raise _describe_damage(f"its first tokens are {tokens[:2]} and not {[PADDING, UNKNOWN]}")
        if len(set(tokens)) < len(tokens):
            twice = next(token for token, times in Counter(tokens).items() if times > 1)
            raise _describe_damage(f"it lists {twice!r} twice")
        if not isinstance(name, str) or not isinstance(lowercase, bool):
            raise _describe_damage("its tokenizer is not named, or lowercase is not true or false")
        version = content.get("tokenizer_version", 1)
        if type(version) is not int or version < 1:
            raise _describe_damage("its tokenizer_version is not a whole number from 1")
        try:
            vocabulary = cls(tuple(tokens), make_tokenizer(name, lowercase, version))
        except UsageError as error:
            raise _describe_damage(str(error)) from error
        if content.get("sha256") != vocabulary.sha256:
            raise _describe_damage("its sha256 is not that of its tokens")
        return vocabulary


def _describe_damage(what: str) -> FormatError:
    return FormatError(f"the vocabulary cannot be used, {what}")


def count_tokens(sections: Iterable[Section], tokenizer: Tokenizer) -> Counter[str]:
    """Counts how often each token occurs.

    Args:
        sections: the texts.
        tokenizer: what splits them.

    Returns:
        The tokens with their counts, in no particular order.
    """
    chunks = (chunk for section in sections for chunk in section.chunks())
    if tokenizer.name == "char":
        return _count_characters(chunk.lower() if tokenizer.lowercase else chunk for chunk in chunks)
    counts: Counter[str] = Counter()
    for chunk in chunks:
        counts.update(tokenizer.split(chunk))
    return counts


def _count_characters(chunks: Iterable[str]) -> Counter[str]:
    """Counts code points as numbers, many times faster than `Counter` counts strings."""
    import numpy as np

    totals = np.zeros(_CODE_POINTS, np.int64)
    for chunk in chunks:
        counts = np.bincount(np.frombuffer(chunk.encode("utf-32-le"), "<u4"))
        totals[: len(counts)] += counts
    return Counter({chr(code): int(totals[code]) for code in np.flatnonzero(totals)})


def keep_most_frequent(counts: Counter[str], tokenizer: Tokenizer, vocab_size: int | None = None) -> Vocabulary:
    """Makes a vocabulary of the tokens that occur most.

    Args:
        counts: how often each token occurs.
        tokenizer: what gave the tokens.
        vocab_size: the number of tokens to keep, besides the padding and `[UNK]`; None keeps all.

    Returns:
        The vocabulary, most frequent tokens first, equally frequent ones in the order of their code points.
    """
    ranked = sorted(counts.keys() - {PADDING, UNKNOWN}, key=lambda token: (-counts[token], token))
    return Vocabulary((PADDING, UNKNOWN, *ranked[:vocab_size]), tokenizer)


def read_vocabulary_file(path: Path, tokenizer: Tokenizer, encoding: str = "utf-8") -> Vocabulary:
    """Reads a file with one token per line, in the order of their ids.

    Args:
        path: the file. Empty lines, `<unk>`, `[UNK]` and repeated tokens are skipped.
        tokenizer: what splits the texts that it is for; if that lower-cases, the file is lower-cased.
        encoding: how the file is encoded.

    Returns:
        The vocabulary.

    Raises:
        DataError: the file lists no token or is not text; and whatever `read_chunks` raises.
    """
    content = "".join(read_chunks(path, encoding))
    lines = [line.strip() for line in (content.lower() if tokenizer.lowercase else content).split("\n")]
    tokens = dict.fromkeys(line for line in lines if line not in {PADDING, "<unk>", UNKNOWN, UNKNOWN.lower()})
    if not tokens:
        raise DataError(f"{path} lists no token: give one token a line, or do without a vocabulary file")
    return Vocabulary((PADDING, UNKNOWN, *tokens), tokenizer)
