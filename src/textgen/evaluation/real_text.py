"""Reads as much of a job's text as is needed to compare it with what the model writes, in bounded time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from textgen.corpus import UNKNOWN
from textgen.evaluation.text_statistics import TextStatistics, words_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textgen.corpus import Section, Tokenizer

_MOST_READ = 20_000_000
"""The characters of a section that are read, which takes a fraction of a second."""
_MOST_LEARNED = 1_000_000
"""The characters of the training text whose words are known."""
_MOST_COMPARED = 200_000
"""The characters of the validation text that are compared."""
_MOST_SKIPPED = 200_000_000
"""The most characters to read over before a validation text that follows the training text in the same files."""
_CHUNK_CHARACTERS = 1 << 14


@dataclass(frozen=True, eq=False)
class RealText:
    """The text of a job, for comparison with what its model writes.

    Attributes:
        training_words: the words of the training text in order, or of excerpts from a long one.
        statistics: those of the validation text, or of excerpts from a long one, with the share of its words that the training
            text contains. If the validation text comes after 200 million other characters, they are those of other excerpts from the training
            text.
    """

    training_words: Sequence[str]
    statistics: TextStatistics

    @cached_property
    def words(self) -> frozenset[str]:
        """The distinct words of the training text."""
        return frozenset(self.training_words)


def read_real_text(train: Section, valid: Section, tokenizer: Tokenizer) -> RealText:
    """Reads the text of a job: all of a short one, and evenly spread excerpts of a long one.

    Both texts are read as the model would write them: in lower case if the model is, and with the spacing of printed English if the
    text is pre-tokenized.

    Args:
        train: the training text.
        valid: the validation text.
        tokenizer: the model's tokenizer.

    Raises:
        TextgenError: if the text has changed, or cannot be read.
    """
    words = [word for piece in excerpts(train, _MOST_LEARNED) for word in words_in(_printed(piece, tokenizer))]
    is_near = valid.start <= _MOST_SKIPPED
    compared = excerpts(valid, _MOST_COMPARED) if is_near else excerpts(train, _MOST_COMPARED, others=True)
    text = "".join(_printed(piece, tokenizer) for piece in compared)
    return RealText(words, TextStatistics.of(text, frozenset(words)))


def excerpts(section: Section, characters: int, *, others: bool = False) -> Iterator[str]:
    """Reads evenly spread parts of a section; of one longer than 20 million characters, parts of its start.

    Args:
        section: the section.
        characters: about the number of characters to return in all. A section that is shorter is returned whole.
        others: whether to return the parts halfway between those that would be returned otherwise.
    """
    every = -(-min(section.characters, _MOST_READ) // characters)
    read = 0
    for number, chunk in enumerate(section.chunks(_CHUNK_CHARACTERS)):
        if number % every == (every // 2 if others else 0):
            yield chunk
        read += len(chunk)
        if read >= _MOST_READ:
            return


def _printed(text: str, tokenizer: Tokenizer) -> str:
    """Returns a part of the text as the model would write it."""
    if not tokenizer.separator:
        return tokenizer.plain(text)
    return tokenizer.join(token for token in tokenizer.split(text) if token != UNKNOWN)
