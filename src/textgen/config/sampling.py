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
        help="The directory of a trained job, or the model file in it.",
    )
    prompt: str = option(
        "",
        group="text",
        metavar="TEXT",
        help="The text to continue; - reads it from standard input. Without one, the model begins a paragraph of its own.",
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
        help="How daring the choice of each token is: 0 always takes the likeliest, 1 follows the model's probabilities, more is wilder. Lower it when the text makes no sense, raise it when it repeats itself.",
    )
    seed: int | None = option(
        None,
        group="text",
        kind=int,
        least=0,
        help="Fixes the random numbers. Set it to get the same text again; none gives another one each time.",
    )
    oov: Literal["error", "skip", "unk"] = option(
        "error",
        group="text",
        choices=("error", "skip", "unk"),
        help="What to do with a character or word of the prompt that the model does not know: stop with an error, skip it, or read [UNK] in its place.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
