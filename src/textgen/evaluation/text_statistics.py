"""Counts the words and the sentences of a text, so that what a model writes can be compared with real text.

A word is a token of `corpus.words` that contains a letter or a digit. Upper and lower case are the same word. Where a language does not
separate words, a word is everything between two punctuation marks, and figures about words say little.

A sentence ends at a full stop, question mark, exclamation mark or ellipsis before white space, at an ideographic one anywhere, or at a blank
line. So `Mr.` ends one too, in real and in written texts alike.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus.words import split_words

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

LONGEST_WORD = 20
"""The words of this length are counted together with all longer ones."""

SENTENCE_BINS = (1, 6, 11, 16, 21, 26, 31, 36, 41, 46, 51)
"""The shortest sentence of each bin, in words. The last bin has no end."""

_RANKS_PER_DECADE = 8
_WORDS_PER_FREQUENCY = 1000

# The look-behind lets a match start only at the start of a run of marks, so that a text of nothing but marks takes linear time.
_SENTENCE_END = re.compile(r"""(?<![.!?…।؟])[.!?…।؟]++["'”’»)\]]*+(?=\s|\Z)|[。！？]|\n\s*\n""")  # noqa: RUF001 - as in print


@dataclass(frozen=True, eq=False)
class TextStatistics:
    """The words and the sentences of a text. All shares of a text without words are 0.

    Attributes:
        words: the number of words.
        sentences: the number of sentences that contain a word.
        word_lengths: the share of the words with n + 1 characters, `(LONGEST_WORD,)`; the last one includes all longer words.
        sentence_lengths: the share of the sentences in each bin of `SENTENCE_BINS`, `(len(SENTENCE_BINS),)`.
        zipf: pairs of a rank and the frequency of the word of that rank, in occurrences per 1,000 words. The most frequent word has rank 1,
            and the ranks are logarithmically spaced, up to the number of distinct words. In natural texts, the frequency is about
            proportional to 1 / rank (Zipf 1949, "Human Behavior and the Principle of Least Effort"). No word can be rarer than one
            occurrence, so the end of the curve depends on the length of the text.
        known_words: the share of the words that the training text contains, from 0 to 1; None if that is not known, or there is no word.
    """

    words: int
    sentences: int
    word_lengths: NDArray[np.float64]
    sentence_lengths: NDArray[np.float64]
    zipf: Sequence[tuple[int, float]]
    known_words: float | None

    @classmethod
    def of(cls, text: str, words: Collection[str] | None = None) -> TextStatistics:
        """Counts the words and the sentences of a text.

        Args:
            text: the text, which may be empty.
            words: the distinct words of the training text, as from `words_in`; None if they are not known.
        """
        found = words_in(text)
        counts = Counter(found)
        sentences = [number for part in _SENTENCE_END.split(text) if (number := len(words_in(part)))]
        lengths = np.minimum([len(word) for word in found], LONGEST_WORD).astype(np.intp)
        bins = np.searchsorted(SENTENCE_BINS, sentences, side="right") - 1
        known = None if words is None or not found else sum(word in words for word in found) / len(found)
        return cls(
            words=len(found),
            sentences=len(sentences),
            word_lengths=_shares(lengths - 1, LONGEST_WORD),
            sentence_lengths=_shares(bins, len(SENTENCE_BINS)),
            zipf=_rank(counts),
            known_words=known,
        )


def words_in(text: str) -> list[str]:
    """Returns the words of a text in lower case, in order."""
    return [token for token in split_words(text.lower()) if any(map(str.isalnum, token))]


def _shares(places: NDArray[np.intp], bins: int) -> NDArray[np.float64]:
    """Returns the share of the places that are in each bin, `(bins,)`; zeros if there are none."""
    return np.bincount(places, minlength=bins) / max(len(places), 1)


def _rank(counts: Counter[str]) -> list[tuple[int, float]]:
    """Returns the pairs of `TextStatistics.zipf`."""
    frequencies = sorted(counts.values(), reverse=True)
    total, distinct = counts.total(), len(frequencies)
    decades = np.log10(distinct) if distinct else 0
    steps = np.arange(int(decades * _RANKS_PER_DECADE) + 1 if distinct else 0)
    ranks = np.unique(np.rint(10 ** (steps / _RANKS_PER_DECADE)).astype(int)).tolist()
    return [(rank, frequencies[rank - 1] * _WORDS_PER_FREQUENCY / total) for rank in ranks]
