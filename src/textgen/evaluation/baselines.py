"""Measures what simple methods that have seen the same training text need for a text: the baselines of a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID
from textgen.evaluation.compressors import COMPRESSORS, added_bits
from textgen.evaluation.evaluated_text import read_blocks
from textgen.evaluation.kneser_ney import KneserNey
from textgen.evaluation.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from textgen.corpus import Section, Tokenizer
    from textgen.evaluation.evaluated_text import EvaluatedText

CHARACTER_ORDER, WORD_ORDER = 6, 3
"""The length of the n-grams, for tokens of one character and for longer ones."""

MOST_LEARNED = 5_000_000
"""The maximum number of characters of the training text to learn. The n-grams then take about a gigabyte of memory."""

_TOKENS_AT_ONCE = 1 << 20

UNIFORM, UNIGRAM, KNESER_NEY = "uniform", "unigram", "kneser_ney"


def measure_uniform(text: EvaluatedText) -> float:
    """Returns the bits per character if every token of the vocabulary is equally likely, which needs no training text."""
    return math.log2(text.vocabulary.size - FIRST_TOKEN_ID) / text.characters_per_token


def measure_baselines(
    text: EvaluatedText, training: Section, names: Collection[str] = (UNIGRAM, KNESER_NEY, *COMPRESSORS)
) -> dict[str, float]:
    """Measures baselines that learn from the training text.

    Args:
        text: the text.
        training: the training text.
        names: the names of the baselines.

    Returns:
        The bits per character by the name of the baseline. A compressor that is not installed is missing.

    Raises:
        DataError: if a text changes while it is read.
        TextgenError: if one cannot be read.
    """
    order = ngram_order(text.vocabulary.tokenizer)
    learned = _learn(training, text)
    found = {
        name: _measure_ngrams(text, KneserNey(learned, length, text.vocabulary.size), length)
        for name, length in ((UNIGRAM, 1), (KNESER_NEY, order))
        if name in names
    }
    tokenizer = text.vocabulary.tokenizer
    for name, compressor in COMPRESSORS.items():
        if name in names and compressor.is_installed:
            bits = added_bits(
                compressor,
                lambda: _read(training, tokenizer, MOST_LEARNED),
                lambda: _read(text.section, tokenizer, text.section.characters),
            )
            found[name] = bits / text.section.characters
    return found


class Described(NamedTuple):
    """A baseline in words.

    Attributes:
        label: its name.
        remark: what it knows.
    """

    label: str
    remark: str


def describe_baselines(tokenizer: Tokenizer) -> dict[str, Described]:
    """Describes each baseline, by its name, for people.

    Args:
        tokenizer: the tokenizer of the text.
    """
    order, noun = ngram_order(tokenizer), tokenizer.noun if tokenizer.one_character else "tokens"
    return {
        UNIFORM: Described("uniform", f"all {noun} equally likely"),
        UNIGRAM: Described("unigram", f"how frequent the {noun} are"),
        KNESER_NEY: Described(f"{order}-gram", f"Kneser-Ney: which {noun} follow the last {order - 1}"),
        **{name: Described(each.label, "file compressor") for name, each in COMPRESSORS.items()},
    }


def ngram_order(tokenizer: Tokenizer) -> int:
    """Returns the length of the n-grams of a Kneser-Ney model of a tokenizer's tokens."""
    return CHARACTER_ORDER if tokenizer.one_character else WORD_ORDER


def _measure_ngrams(text: EvaluatedText, model: KneserNey, order: int) -> float:
    """Returns the bits per character of n-grams; like a model, they do not predict the first token."""
    nats, is_start = 0.0, 1
    for block in text.blocks(_TOKENS_AT_ONCE, order - 1):
        nats += float(model.nats(block.ids)[block.overlap + is_start :].sum())
        is_start = 0
    return Scores(nats, text.tokens - 1, text.characters_per_token).bits_per_character


def _learn(training: Section, text: EvaluatedText) -> NDArray[np.int64]:
    """Returns the token ids of the training text, or of its start if it is long."""
    blocks: list[NDArray[np.int64]] = []
    characters = 0
    for block in read_blocks(training, text.vocabulary, _TOKENS_AT_ONCE // 4, 0):
        blocks.append(block.ids)
        characters += int(block.lengths.sum())
        if characters >= MOST_LEARNED:
            break
    return np.concatenate(blocks)


def _read(section: Section, tokenizer: Tokenizer, most: int) -> Iterator[str]:
    """Reads a text as the model does, in lower case if it does, up to a number of characters."""
    for chunk in section.chunks():
        piece = chunk[:most]
        most -= len(piece)
        yield piece.lower() if tokenizer.lowercase else piece
        if not most:
            return
