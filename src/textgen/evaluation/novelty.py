"""Measures how much of a text is copied from the training text, and finds the copied passages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from textgen.formatting import count, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textgen.corpus import Tokenizer
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation.text_tokens import TextTokens

SPAN_WORDS = 8
"""The words in a span. The GPT-2 paper measures copying with 8-grams, too (Radford et al. 2019, section 4)."""

SPAN_CHARACTERS = 40
"""The characters in a span if the tokens are not whole words: about eight English words with the spaces between them."""

_MOST_SHOWN = 100


@dataclass(frozen=True)
class Novelty:
    """How much of a text occurs in the training text.

    Short matches mean nothing: everybody writes "and then he said". What counts is the length of the longest match, and
    the share of spans that occur in the training text. A span, `SPAN_WORDS` words or `SPAN_CHARACTERS` characters, is too
    long to match by chance.

    Attributes:
        longest_copy: the longest passage copied verbatim; the first one if there are several.
        copied_share: the share of spans that occur in the training text, from 0 to 1; 0 if there is no span.
        spans: the number of spans in the text.
        kind_of_span: "40-character" or "8-word".
    """

    longest_copy: str
    copied_share: float
    spans: int
    kind_of_span: str

    def __str__(self) -> str:
        """The measures as one readable line."""
        length = len(self.longest_copy)
        passage = f" ({self.longest_copy[:_MOST_SHOWN]!r}{'...' if length > _MOST_SHOWN else ''})" if length else ""
        longest = f"{count(length, 'character')}{passage}"
        share = f"{percent(self.copied_share)} of {self.spans}" if self.spans else "none; the text is too short"
        return f"longest copied passage: {longest}, copied {self.kind_of_span} spans: {share}"


def measure_novelty(text: str, index: CopyIndex, tokenizer: Tokenizer) -> Novelty:
    """Measures how much of a text occurs in the training text.

    Args:
        text: the generated tokens, joined by the tokenizer's `separator`. For a pre-tokenized text this is not the
            printed text, whose spacing differs from that of the training text.
        index: the copy index of the training text.
        tokenizer: the model's tokenizer. It defines a span: any 8 consecutive words, with whatever is between them, if its
            tokens are whole words; otherwise any 40 consecutive characters.

    Returns:
        The measures. A span counts as copied even if it starts or ends within a longer word of the training text.
    """
    text = tokenizer.plain(text)
    length, kind = _span(tokenizer)
    units = list(_find_units(tokenizer.split(text), tokenizer))
    spans = [(first.start, last.stop) for first, last in zip(units, units[length - 1 :], strict=False)]
    comparison = index.compare(text)
    copied = sum(comparison.is_copied(start, stop) for start, stop in spans)
    return Novelty(comparison.longest_copy(), copied / max(len(spans), 1), len(spans), f"{length}-{kind}")


def find_copies(text: TextTokens, index: CopyIndex) -> list[tuple[int, int]]:
    """Finds the passages of a text that the training text contains and that are at least as long as a span; see `Novelty`.

    Each is as long as possible. Two may overlap, if the training text contains each of them but not both as one.

    Args:
        text: the text.
        index: the copy index of the training text.

    Returns:
        The start and end of each passage in the characters of the text, in order.
    """
    tokenizer = text.vocabulary.tokenizer
    length, _ = _span(tokenizer)
    units = list(_find_units(text.tokens, tokenizer))
    comparison = index.compare(tokenizer.separator.join(text.tokens))
    found: list[tuple[int, int]] = []
    behind = 0  # the number of units up to the end of the last passage
    for number, first in enumerate(units):
        end = max(number + length - 1, behind)  # the rest of the last passage is copied in any case
        while end < len(units) and comparison.is_copied(first.start, units[end].stop):
            end += 1
        if end >= number + length and end > behind:
            behind, last = end, units[end - 1]
            begin = text.starts[first.token] + first.offset
            finish = text.stops[last.token] if last.ends_token else text.starts[last.token] + last.offset + 1
            found.append((begin, finish))
    return found


class _Unit(NamedTuple):
    """A word or a character, of which spans consist.

    Attributes:
        start: the index of its first character in the text in the form of `Tokenizer.plain`.
        stop: the index after its last character there.
        token: the index of its token.
        offset: the index of its first character in the token.
        ends_token: whether the token ends with it.
    """

    start: int
    stop: int
    token: int
    offset: int = 0
    ends_token: bool = True


def _span(tokenizer: Tokenizer) -> tuple[int, str]:
    """Returns the number of units in a span, and what they are."""
    return (SPAN_WORDS, "word") if tokenizer.whole_words else (SPAN_CHARACTERS, "character")


def _find_units(tokens: Iterable[str], tokenizer: Tokenizer) -> Iterator[_Unit]:
    """Yields each word, a token with a letter or digit in it, if the tokens are whole words; otherwise each character."""
    place = 0
    for number, token in enumerate(tokens):
        if not tokenizer.whole_words:
            for offset in range(len(token)):
                yield _Unit(place + offset, place + offset + 1, number, offset, offset == len(token) - 1)
        elif any(map(str.isalnum, token)):
            yield _Unit(place, place + len(token), number)
        place += len(token) + len(tokenizer.separator)
