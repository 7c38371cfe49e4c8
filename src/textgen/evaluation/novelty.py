"""How much of a text is copied from the training text; knows nothing of how the text came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.corpus.tokenizers import Tokenizer

SPAN_WORDS = 8
"""The words of a span: the length of the n-grams that the GPT-2 paper measures copies in (Radford et al. 2019, section 4)."""

SPAN_CHARACTERS = 40
"""The characters of a span of a char model: about eight English words with the spaces between them."""

_MOST_SHOWN = 100


@dataclass(frozen=True)
class Novelty:
    """What a text has from the training text.

    A short passage means nothing: everybody writes "and then he said". What counts is how long one gets, and how much
    of the text is made of passages that are no longer chance, `SPAN_WORDS` words or `SPAN_CHARACTERS` characters.

    Attributes:
        longest_copy: the longest passage copied word for word, the first of equals.
        copied_share: of the spans, those that the training text contains; from 0 to 1, 0 where there is no span.
        spans: how many spans the text has.
        kind_of_span: "40-character" or "8-word".
    """

    longest_copy: str
    copied_share: float
    spans: int
    kind_of_span: str

    def __str__(self) -> str:
        """The measures as a line for people."""
        length = len(self.longest_copy)
        shown = f" ({self.longest_copy[:_MOST_SHOWN]!r}{'...' if length > _MOST_SHOWN else ''})" if length else ""
        longest = f"{length} character{'' if length == 1 else 's'}{shown}"
        share = f"{100 * self.copied_share:.3g}% of {self.spans}" if self.spans else "none, the text is too short"
        return f"longest copied passage: {longest}, copied {self.kind_of_span} spans: {share}"


def measure_novelty(text: str, index: CopyIndex, tokenizer: Tokenizer) -> Novelty:
    """Measures what a text has from the training text.

    Args:
        text: the tokens that were written, joined by the tokenizer's `separator`; of a spaced model not its print, in
            which the tokens stand otherwise than in the training text.
        index: of the training text.
        tokenizer: the model's. It decides what a span is: every 40 characters in a row for a char model, every 8 words
            in a row, with what stands between them, for the others.

    Returns:
        The measures. A span is copied if the training text contains it, within longer words or not.
    """
    text = tokenizer.plain(text)
    if tokenizer.name == "char":
        kind = f"{SPAN_CHARACTERS}-character"
        spans = [(start, start + SPAN_CHARACTERS) for start in range(len(text) - SPAN_CHARACTERS + 1)]
    else:
        kind = f"{SPAN_WORDS}-word"
        words = _find_words(text, tokenizer)
        spans = [(first[0], last[1]) for first, last in zip(words, words[SPAN_WORDS - 1 :], strict=False)]
    comparison = index.compare(text)
    copied = sum(comparison.is_copied(start, stop) for start, stop in spans)
    return Novelty(comparison.longest_copy(), copied / max(len(spans), 1), len(spans), kind)


def _find_words(text: str, tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """Where the words of a text begin and end: the tokens with a letter or digit in them."""
    words, place = [], 0
    for token in tokenizer.split(text):
        if any(map(str.isalnum, token)):
            words.append((place, place + len(token)))
        place += len(token) + len(tokenizer.separator)
    return words
