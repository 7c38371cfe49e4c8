"""Opens a text on which a model is evaluated, and reads it in blocks of token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textgen.corpus import Vocabulary, count_tokens, find_sources
from textgen.corpus.sections import open_whole
from textgen.corpus.vocabulary import UNKNOWN_ID
from textgen.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from textgen.corpus import Section

_CHARACTERS_AT_ONCE = 1 << 18

_LEAST_TOKENS = 2
"""The first token of a text is read, and not predicted."""


class Block(NamedTuple):
    """Some consecutive tokens of a text.

    Attributes:
        ids: `(tokens,)`, the token ids.
        lengths: `(tokens,)`, the number of characters of each token.
        overlap: the number of tokens at the start that the block before ends with.
    """

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    overlap: int


@dataclass(frozen=True)
class EvaluatedText:
    """A text, as a model reads it.

    Attributes:
        section: the text.
        vocabulary: the model's vocabulary.
        tokens: the text's length in tokens.
        unknown: the distinct tokens that the vocabulary lacks, the most frequent first.
        unknown_share: the share of the tokens that are read as `[UNK]`, from 0 to 1.
    """

    section: Section
    vocabulary: Vocabulary
    tokens: int
    unknown: tuple[str, ...]
    unknown_share: float

    @property
    def characters_per_token(self) -> float:
        """The average over the text."""
        return self.section.characters / self.tokens

    def blocks(self, size: int, overlap: int) -> Iterator[Block]:
        """Reads the text in blocks, so that it need not fit in memory.

        Args:
            size: the number of new tokens in each block but the last, which has fewer.
            overlap: the number of tokens of the block before that each block repeats, if there are as many.
        """
        return read_blocks(self.section, self.vocabulary, size, overlap)


def open_files(texts: Sequence[str], *, encoding: str, unwrap: str) -> Section:
    """Opens the files that arguments name, as one text.

    Args:
        texts: files, folders or globs, as for `find_sources`.
        encoding: the encoding of the files.
        unwrap: as in `open_sections`.

    Raises:
        UsageError: if one is the folder of a corpus that has been split.
        TextgenError: as `find_sources` and `open_whole`.
    """
    sources = find_sources(texts, None, None)
    if others := (*sources.valid, *sources.test):
        raise UsageError(
            f"{texts[0]} is a corpus that is split into parts: name the file to evaluate on, such as {others[-1]}"
        )
    return open_whole(sources.train, encoding=encoding, unwrap=unwrap)


def count_text(section: Section, vocabulary: Vocabulary) -> EvaluatedText:
    """Counts the tokens of a text. This reads it once.

    Raises:
        DataError: if it has fewer than two tokens, or cannot be read.
    """
    counts = count_tokens([section], vocabulary.tokenizer)
    total = counts.total()
    if total < _LEAST_TOKENS:
        raise DataError(f"{section.paths[0]} is too short to evaluate a model on: give at least {_LEAST_TOKENS} tokens")
    ids = vocabulary.ids(counts)
    lacking = sum(number for number, token_id in zip(counts.values(), ids, strict=True) if token_id == UNKNOWN_ID)
    unknown = tuple(vocabulary.unknown(token for token, _ in counts.most_common()))
    return EvaluatedText(section, vocabulary, total, unknown, lacking / total)


def read_blocks(section: Section, vocabulary: Vocabulary, size: int, overlap: int) -> Iterator[Block]:
    """Reads a text in blocks of token ids; see `EvaluatedText.blocks`."""
    ids, lengths = np.zeros(0, np.int64), np.zeros(0, np.int64)
    repeated = 0
    for chunk in section.chunks(_CHARACTERS_AT_ONCE):
        tokens = vocabulary.tokenizer.split(chunk)
        ids = np.append(ids, np.array(vocabulary.ids(tokens), np.int64))
        lengths = np.append(lengths, np.fromiter(map(len, tokens), np.int64, len(tokens)))
        while len(ids) >= repeated + size:
            stop = repeated + size
            yield Block(ids[:stop], lengths[:stop], repeated)
            repeated = min(overlap, stop)
            ids, lengths = ids[stop - repeated :], lengths[stop - repeated :]
    if len(ids) > repeated:
        yield Block(ids, lengths, repeated)
