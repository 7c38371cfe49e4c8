"""The settings of a sample: the one place where a default, a limit and a help text stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textgen.config.option import option
from textgen.config.validation import check_settings


@dataclass(frozen=True)
class SamplingConfig:
    """What `textgen-sample` is asked for. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value out of range.
    """

    model: str = option(
        "",
        group="model",
        positional="one",
        metavar="JOB_DIR",
        help="The job directory, or the model file in it.",
    )
    prompt: str = option(
        "",
        group="text",
        metavar="TEXT",
        help="The text to continue; - reads it from standard input. Without one, the model begins a new line of its own.",
    )
    length: int = option(
        400,
        group="text",
        kind=int,
        least=0,
        unit="tokens",
        help="How much to write: characters for a char model; words, marks and spaces for a word model.",
    )
    temperature: float = option(
        0.8,
        group="text",
        kind=float,
        least=0,
        help="How daring the choice of each token is: 0 always takes the likeliest, 1 follows the model's probabilities, more gets wilder.",
    )
    seed: int | None = option(
        None,
        group="text",
        kind=int,
        least=0,
        help="Fixes the random numbers, so that the same seed gives the same text; none draws a new one each time.",
    )
    oov: Literal["error", "skip", "unk"] = option(
        "error",
        group="text",
        choices=("error", "skip", "unk"),
        help="What to do with parts of the prompt that the model never read: stop with an error, skip them, or read them as unknown.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
