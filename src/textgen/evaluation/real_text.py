"""Reads as much of a job's text as is needed to compare it with what the model writes, in bounded time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.corpus import UNKNOWN
from textgen.evaluation.text_statistics import TextStatistics, words_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textgen.corpus import Section, Tokenizer

_MOST_READ = 20_000_000
_MOST_LEARNED = 2_000_000
_MOST_COMPARED = 200_000
_CHUNK_CHARACTERS = 1 << 14


@dataclass(frozen=True, eq=False)
class RealText:
    """The text of a job, for comparison with what its model writes.

    Attributes:
        text: excerpts of the validation text, as the model would write them: in lower case if the model is, and with the spacing of
            printed English if the text is pre-tokenized.
        words: the distinct words of the training text, or of excerpts from a long one.
        statistics: those of `text`, with the share of its words that the training text contains.
    """

    text: str
    words: frozenset[str]
    statistics: TextStatistics


def read_real_text(train: Section, valid: Section, tokenizer: Tokenizer) -> RealText:
    """Reads the text of a job. Of a long text, it reads evenly spread excerpts.

    Args:
        train: the training text.
        valid: the validation text.
        tokenizer: the model's tokenizer.

    Raises:
        TextgenError: if the text has changed, or cannot be read.
    """
    words = frozenset(word for piece in excerpts(train, _MOST_LEARNED) for word in words_in(_printed(piece, tokenizer)))
    text = "".join(_printed(piece, tokenizer) for piece in excerpts(valid, _MOST_COMPARED))
    return RealText(text, words, TextStatistics.of(text, words))


def excerpts(section: Section, characters: int) -> Iterator[str]:
    """Reads evenly spread parts of a section; of one longer than 20 million characters, parts of its start.

    Args:
        section: the section.
        characters: about the number of characters to return. A shorter section is returned whole.
    """
    every = max(1, -(-min(section.characters, _MOST_READ) // characters))
    read = 0
    for number, chunk in enumerate(section.chunks(_CHUNK_CHARACTERS)):
        if number % every == 0:
            yield chunk
        read += len(chunk)
        if read >= _MOST_READ:
            return


def _printed(text: str, tokenizer: Tokenizer) -> str:
    """Returns a part of the text as a model would write it."""
    if not tokenizer.separator:
        return tokenizer.plain(text)
    return tokenizer.join(token for token in tokenizer.split(text) if token != UNKNOWN)
