"""Maps tokens to ids and back; makes vocabularies from texts and files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textgen.corpus.decoding import read_chunks
from textgen.corpus.tokenizer import UNKNOWN, Tokenizer
from textgen.corpus.tokenizers import LaterTokenizerError, tokenizer_from_json
from textgen.errors import DataError, FormatError
from textgen.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from textgen.corpus.sections import Section

PADDING = ""
"""The token of id 0, which pads a stream after its end."""

UNKNOWN_ID = 1
"""The id of `[UNK]`."""

FIRST_TOKEN_ID = 2
"""The id of the first real token, after the padding and `[UNK]`."""

MAX_UNKNOWN_SHARE = 0.05
"""The maximum share of a text's tokens that its vocabulary may lack. With more, it must belong to another text."""

_MOST_LISTED = 10
_EXAMPLES = 5


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model and their ids, which are those of Keras' `TextVectorization`.

    Attributes:
        tokens: the tokens in id order: the padding, `[UNK]`, then the distinct real tokens.
        tokenizer: the tokenizer that splits texts into these tokens.
    """

    tokens: tuple[str, ...]
    tokenizer: Tokenizer

    @property
    def size(self) -> int:
        """The number of ids, including the padding and `[UNK]`."""
        return len(self.tokens)

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """Returns the ids of tokens; an unknown token gets the id of `[UNK]`."""
        id_of = self._id_of
        return [id_of.get(token, UNKNOWN_ID) for token in tokens]

    def encode(self, text: str) -> list[int]:
        """Turns a text into ids."""
        return self.ids(self.tokenizer.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        """Turns ids into a text, without the padding."""
        return self.tokenizer.join(self.tokens[number] for number in ids if number)

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """Returns the distinct tokens that the vocabulary lacks, in order of first occurrence."""
        return list(dict.fromkeys(token for token in tokens if token not in self._id_of))

    @staticmethod
    def listed(tokens: list[str]) -> str:
        """Lists up to ten tokens for a message: `'x', 'é' and 2 more`."""
        more = f" and {len(tokens) - _MOST_LISTED} more" if len(tokens) > _MOST_LISTED else ""
        return ", ".join(map(repr, tokens[:_MOST_LISTED])) + more

    def split_prompt(self, text: str) -> list[str]:
        """Splits a text that a user typed with ordinary spacing into tokens, the unknown ones by `Tokenizer.finer_splits`."""
        tokens = self.tokenizer.split(text)
        for split in self.tokenizer.finer_splits:
            tokens = [part for token in tokens for part in ([token] if token in self._id_of else split(token))]
        return tokens

    @cached_property
    def sha256(self) -> str:
        """The hash, in hex, of everything that determines the ids of a text."""
        more = self.tokenizer.to_json()
        content = [more.pop("tokenizer"), more.pop("lowercase"), self.tokens]
        version = more.pop("tokenizer_version")
        if version > 1:  # the first version keeps its hash from before there were versions
            content.append(version)
        if more:
            content.append(more)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Returns the object of a `vocabulary.json`, which `from_json` reads."""
        return {**self.tokenizer.to_json(), "sha256": self.sha256, "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Vocabulary:
        """Makes a vocabulary from the result of `to_json`.

        Args:
            content: the object of a `vocabulary.json`.

        Returns:
            The vocabulary.

        Raises:
            FormatError: if it is not a result of `to_json`.
            LaterTokenizerError: if only a later textgen has its tokenizer.
        """
        tokens = content.get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise _describe_damage("its tokens are not a list of strings")
        if tokens[:2] != [PADDING, UNKNOWN]:
            raise _describe_damage(f"its first tokens are {tokens[:2]} and not {[PADDING, UNKNOWN]}")
        if len(set(tokens)) < len(tokens):
            twice = next(token for token, times in Counter(tokens).items() if times > 1)
            raise _describe_damage(f"it lists {twice!r} twice")
        try:
            vocabulary = cls(tuple(tokens), tokenizer_from_json(content))
        except LaterTokenizerError:
            raise
        except FormatError as error:
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
        tokenizer: the tokenizer that splits them.

    Returns:
        The tokens with their counts, in no particular order.
    """
    return tokenizer.count(chunk for section in sections for chunk in section.chunks())


def keep_most_frequent(counts: Counter[str], tokenizer: Tokenizer, vocab_size: int | None = None) -> Vocabulary:
    """Makes a vocabulary of the most frequent tokens.

    Args:
        counts: how often each token occurs.
        tokenizer: the tokenizer of the tokens.
        vocab_size: the number of tokens to keep, without the padding and `[UNK]`; None keeps all.

    Returns:
        The vocabulary, most frequent tokens first, and equally frequent ones in the order of their code points.
    """
    ranked = sorted(counts.keys() - {PADDING, UNKNOWN}, key=lambda token: (-counts[token], token))
    return Vocabulary((PADDING, UNKNOWN, *ranked[:vocab_size]), tokenizer)


def read_vocabulary_file(path: Path, tokenizer: Tokenizer, encoding: str = "utf-8") -> Vocabulary:
    """Reads a file with one token per line, in the order of their ids.

    Args:
        path: the file. Empty lines, `<unk>`, `[UNK]` and repeated tokens are skipped.
        tokenizer: the tokenizer of the texts. If it converts texts to lower case, the file is converted too.
        encoding: the encoding of the file.

    Returns:
        The vocabulary.

    Raises:
        DataError: if the file lists no token or is not text.
        TextgenError: as in `read_chunks`.
    """
    content = "".join(read_chunks(path, encoding))
    lines = [line.strip() for line in (content.lower() if tokenizer.lowercase else content).split("\n")]
    tokens = dict.fromkeys(line for line in lines if line not in {PADDING, "<unk>", UNKNOWN, UNKNOWN.lower()})
    if not tokens:
        raise DataError(f"{path} lists no token: give one token a line, or do without a vocabulary file")
    return Vocabulary((PADDING, UNKNOWN, *tokens), tokenizer)


def unknown_share(counts: Counter[str], vocabulary: Vocabulary) -> float:
    """Returns the share of a text's tokens that a vocabulary lacks, from 0 to 1, not counting `[UNK]` in the text.

    Args:
        counts: how often each token occurs.
        vocabulary: a vocabulary of the same tokenizer.
    """
    return sum(counts[token] for token in vocabulary.unknown(counts)) / max(counts.total() - counts[UNKNOWN], 1)


def check_coverage(
    counts: Counter[str], vocabulary: Vocabulary, path: Path, advice: str, *, allowed: float = 0.0
) -> float:
    """Checks that a vocabulary belongs to a text.

    Args:
        counts: how often each token of the training text occurs.
        vocabulary: a vocabulary of the same tokenizer.
        path: the vocabulary's file, for the error.
        advice: the end of the error, which explains what to do.
        allowed: a share of the tokens that is `[UNK]` in any case, and allowed in addition.

    Returns:
        The share of the tokens that the vocabulary lacks.

    Raises:
        DataError: if the share is above `MAX_UNKNOWN_SHARE + allowed`.
    """
    share, most = unknown_share(counts, vocabulary), MAX_UNKNOWN_SHARE + allowed
    if share > most:
        missing = vocabulary.unknown(token for token, _ in counts.most_common())
        raise DataError(
            f"{path} lacks {share:.1%} of the tokens of the training text, such as "
            f"{', '.join(map(repr, missing[:_EXAMPLES]))}; at most {percent(most)} may be missing: {advice}"
        )
    return share
