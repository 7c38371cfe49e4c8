"""Lets a model write texts at several temperatures, and measures them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.config import SamplingConfig
from textgen.evaluation.novelty import measure_novelty
from textgen.evaluation.text_statistics import TextStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textgen.corpus.copy_index import CopyIndex
    from textgen.evaluation.novelty import Novelty
    from textgen.evaluation.real_text import RealText
    from textgen.generation import ModelFile, TextGenerator

TEMPERATURES = (0.5, 0.8, 1.0)
MOST_SEARCHED = 10_000_000
"""The longest training text, in characters, whose copy index is built in less than a second."""

_MOST_WORK = 60_000_000_000
"""The most weights to multiply, times texts and steps: one or two seconds on one core."""
_CHEAP_ROWS = 16
"""A step of fewer texts takes about as long as one of these: it waits for the weights."""


@dataclass(frozen=True, eq=False)
class WrittenText:
    """A text that a model has written.

    Attributes:
        temperature: the temperature.
        text: the text, which starts as after a blank line.
        statistics: its words and sentences; `known_words` is None without the training text.
        novelty: how much of it is copied; None without the copy index of the training text.
    """

    temperature: float
    text: str
    statistics: TextStatistics
    novelty: Novelty | None


def write_texts(
    generator: TextGenerator,
    real: RealText | None = None,
    copies: CopyIndex | None = None,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
    characters: int = 2000,
    seed: int = 1,
) -> list[WrittenText]:
    """Writes a text at each temperature, all in one batch, in two seconds at most.

    Args:
        generator: the model.
        real: the text of its job, for the share of known words; None if it is not at hand.
        copies: the copy index of its training text, for the novelty; None if the text is not at hand, or longer than `MOST_SEARCHED`.
        temperatures: the temperatures, from 0.
        characters: about the length of each text. A large model writes less.
        seed: the seed of the random numbers.

    Returns:
        The texts, in the order of the temperatures.
    """
    tokenizer = generator.model.vocabulary.tokenizer
    words = None if real is None else real.words
    return [
        WrittenText(
            temperature,
            tokenizer.join(tokens),
            TextStatistics.of(tokenizer.join(tokens), words),
            None if copies is None else measure_novelty(tokenizer.separator.join(tokens), copies, tokenizer),
        )
        for temperature, (tokens,) in write_tokens(generator, temperatures, 1, characters, seed).items()
    ]


def most_tokens(model: ModelFile, texts: int) -> int:
    """Returns the number of tokens that each of several texts can have, so that a model writes them in two seconds at most.

    Args:
        model: the model.
        texts: the number of texts.
    """
    return max(1, _MOST_WORK // (model.shape.parameters * max(texts, _CHEAP_ROWS)))


def write_tokens(
    generator: TextGenerator, temperatures: Sequence[float], samples: int, characters: int, seed: int
) -> dict[float, list[list[str]]]:
    """Writes several texts at each temperature, all in one batch, in two seconds at most.

    Args:
        generator: the model.
        temperatures: the temperatures.
        samples: the number of texts at each.
        characters: about the length of each text. A large model writes less.
        seed: the seed of the first text; each following text of the same temperature has the next one.

    Returns:
        The tokens of each text, by temperature.
    """
    model, engine, prompt = generator.model, generator.engine(), generator.read("")
    most = most_tokens(model, samples * len(temperatures))
    length = min(most, math.ceil(characters / model.vocabulary.tokenizer.characters_per_token))
    written = {}
    for temperature in temperatures:
        config = SamplingConfig(temperature=temperature, length=length, seed=seed)
        written[temperature] = [row for row, _ in generator.start(prompt, config, samples=samples)]
    engine.admit([row for rows in written.values() for row in rows])
    starts = {id(row): len(row.ids) for rows in written.values() for row in rows}
    while engine.step():
        pass
    tokens = model.vocabulary.tokens
    return {
        temperature: [[tokens[token_id] for token_id in row.ids[starts[id(row)] :]] for row in rows]
        for temperature, rows in written.items()
    }
