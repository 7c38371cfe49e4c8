"""Finds the temperature at which a model writes most like its text.

Three shares of a text depend most on the temperature. If it is too low, a model writes the same words, and even the same runs of words, again and
again. If it is too high, it writes words that do not exist, each of them a different one. So the best temperature is where these shares are closest
to those of real text, as Holtzman et al. (2020, "The Curious Case of Neural Text Degeneration") compare ways of sampling.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textgen.evaluation.text_statistics import words_in
from textgen.evaluation.written import most_tokens, write_tokens

if TYPE_CHECKING:
    from textgen.evaluation.real_text import RealText
    from textgen.generation import TextGenerator

TRIED = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The temperatures. Above 1, where a model follows its own probabilities, no text came closer in word frequencies (docs/advice.md)."""

_SAMPLES = 8
"""The texts at each temperature."""
_CHARACTERS = 560
"""The approximate length of each."""
_LEAST_WORDS = 300
"""The words of all texts at a temperature; shares of fewer are too inexact."""
_REAL_SAMPLES = 8
"""The samples of real text, whose shares are averaged."""
_RUN = 3
"""The words of a run."""
_SEED = 1


class Shares(NamedTuple):
    """The shares of a text that depend most on the temperature, each from 0 to 1.

    Attributes:
        known: the share of its words that the training text contains.
        distinct: the number of distinct words, divided by the number of words. It falls with the length of a text.
        repeated: the share of its runs of three words that are repetitions of earlier ones.
    """

    known: float
    distinct: float
    repeated: float

    def distance(self, other: Shares) -> float:
        """Returns the sum of the absolute differences."""
        return sum(abs(mine - theirs) for mine, theirs in zip(self, other, strict=True))


@dataclass(frozen=True)
class TemperatureMatch:
    """How close a model's texts are to real text at several temperatures.

    Attributes:
        real: the shares of real text, in samples as long as the written ones.
        written: the shares of the written text, by temperature.
    """

    real: Shares
    written: dict[float, Shares]

    @property
    def best(self) -> float:
        """The temperature with the smallest distance."""
        return min(self.written, key=self.distance)

    def distance(self, temperature: float) -> float:
        """Returns the distance between real text and the text that was written at a temperature, from 0 to 3."""
        return self.written[temperature].distance(self.real)


def match_temperatures(generator: TextGenerator, real: RealText) -> TemperatureMatch | None:
    """Compares texts that a model writes at several temperatures with real text, in two seconds at most.

    Args:
        generator: the model.
        real: the text of its job.

    Returns:
        The comparison; None if the text has too few words, or if the model is so large that it writes too few in that time.
    """
    model, texts = generator.model, _SAMPLES * len(TRIED)
    characters = most_tokens(model, texts) * _SAMPLES * model.vocabulary.tokenizer.characters_per_token
    if real.statistics.known_words is None or characters < 2 * _LEAST_WORDS:  # a word and a space
        return None
    join = model.vocabulary.tokenizer.join
    written = {
        temperature: [words_in(join(tokens)) for tokens in texts]
        for temperature, texts in write_tokens(generator, TRIED, _SAMPLES, _CHARACTERS, _SEED).items()
    }
    # Equally many words of each text, because the share of distinct words depends on the length.
    each = min(len(text) for texts in written.values() for text in texts)
    if each * _SAMPLES < _LEAST_WORDS or each * _SAMPLES > len(real.training_words):
        return None
    shares = {
        temperature: _measure([text[:each] for text in texts], real.words) for temperature, texts in written.items()
    }
    samples = [_measure(texts, real.words) for texts in _spread(real.training_words, each)]
    _, distinct, repeated = np.mean(samples, axis=0).tolist()
    return TemperatureMatch(Shares(real.statistics.known_words, distinct, repeated), shares)


def _spread(words: Sequence[str], each: int) -> list[list[Sequence[str]]]:
    """Returns several samples of a text, each of which consists of evenly spread parts of `each` words."""
    starts = np.linspace(0, len(words) - each, _SAMPLES * _REAL_SAMPLES).astype(int).tolist()
    return [[words[start : start + each] for start in starts[number::_REAL_SAMPLES]] for number in range(_REAL_SAMPLES)]


def _measure(texts: Sequence[Sequence[str]], known: Collection[str]) -> Shares:
    """Returns the shares of several texts together."""
    words = [word for text in texts for word in text]
    runs = [tuple(text[start : start + _RUN]) for text in texts for start in range(len(text) - _RUN + 1)]
    return Shares(
        sum(word in known for word in words) / len(words),
        len(set(words)) / len(words),
        1 - len(set(runs)) / max(len(runs), 1),
    )
