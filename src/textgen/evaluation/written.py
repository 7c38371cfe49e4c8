"""Lets a model write texts at several temperatures, and measures them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.evaluation.text_statistics import TextStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textgen.corpus.copy_index import CopyIndex
    from textgen.evaluation.novelty import Novelty
    from textgen.evaluation.real_text import RealText
    from textgen.generation import TextGenerator

TEMPERATURES = (0.5, 0.8, 1.0)
MOST_SEARCHED = 10_000_000
"""The longest training text, in characters, whose copy index is built fast enough for a report."""


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
    """Writes a text at each temperature, all in one batch.

    A large model writes shorter texts, so that the time is bounded.

    Args:
        generator: the model.
        real: the text of its job, for the share of known words; None if it is not at hand.
        copies: the copy index of its training text, for the novelty; None if it is not at hand, or too long to search (`MOST_SEARCHED`).
        temperatures: the temperatures, from 0.
        characters: about the length of each text.
        seed: the seed of the random numbers.

    Returns:
        The texts, in the order of the temperatures.
    """
    raise NotImplementedError
