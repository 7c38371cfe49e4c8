"""Measures how much of a generated text is copied from the training text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.formatting import count, percent

if TYPE_CHECKING:
    from textgen.corpus import Tokenizer
    from textgen.corpus.copy_index import CopyIndex

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
    if tokenizer.whole_words:
        kind = f"{SPAN_WORDS}-word"
        words = _find_words(text, tokenizer)
        spans = [(first[0], last[1]) for first, last in zip(words, words[SPAN_WORDS - 1 :], strict=False)]
    else:
        kind = f"{SPAN_CHARACTERS}-character"
        spans = [(start, start + SPAN_CHARACTERS) for start in range(len(text) - SPAN_CHARACTERS + 1)]
    comparison = index.compare(text)
    copied = sum(comparison.is_copied(start, stop) for start, stop in spans)
    return Novelty(comparison.longest_copy(), copied / max(len(spans), 1), len(spans), kind)


def _find_words(text: str, tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """Returns the start and end of each word, a token with a letter or digit in it."""
    words, place = [], 0
    for token in tokenizer.split(text):
        if any(map(str.isalnum, token)):
            words.append((place, place + len(token)))
        place += len(token) + len(tokenizer.separator)
    return words
