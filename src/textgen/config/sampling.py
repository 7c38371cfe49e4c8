"""The settings of a sample, each with its default, limits and help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from textgen.config.option import option
from textgen.config.values import check_settings

OutOfVocabulary: TypeAlias = Literal["error", "skip", "unk"]
"""What to do with tokens of a prompt that are not in the vocabulary: refuse them, skip them, or read them as `[UNK]`."""


@dataclass(frozen=True)
class SamplingConfig:
    """How a model writes a text. Immutable, and valid once it exists.

    Raises:
        UsageError: if a value is out of range.
    """

    length: int = option(
        400,
        group="text",
        kind=int,
        least=0,
        unit="tokens",
        help="Write at most N tokens: characters for a char model; words, punctuation and spaces for a word model.",
    )
    until: tuple[str, ...] = option(
        (),
        group="text",
        repeatable=True,
        metavar="TEXT",
        help="Stop after this text, which is included. Repeat the flag to stop at the first of several texts.",
    )
    lines: int | None = option(
        None,
        group="text",
        kind=int,
        least=1,
        unit="lines",
        help="Stop after N lines, the first of which continues the prompt's last line. Set it for verse and lists.",
    )
    seed: int | None = option(
        None,
        group="text",
        kind=int,
        least=0,
        help="Seed the random numbers; none gives a different text each time. Set it to get the same text again.",
    )
    oov: Literal["error", "skip", "unk"] = option(
        "error",
        group="text",
        choices=("error", "skip", "unk"),
        help="Handle characters or words of the prompt that the model does not know: stop with an error, skip them, or read them as [UNK].",
    )
    repetition_penalty: float = option(
        1.0,
        group="choice of tokens, in this order",
        kind=float,
        least=1,
        most=100,
        help="Make each of the last 64 tokens less likely; 1 changes nothing. Raise it, for example to 1.1, if a word model repeats itself.",
    )
    temperature: float = option(
        0.8,
        group="choice of tokens, in this order",
        kind=float,
        least=0,
        help="Sample more or less boldly: 0 always takes the likeliest token, 1 follows the model's probabilities, more is wilder. Lower it if the text makes no sense; raise it if it repeats itself.",
    )
    top_k: int | None = option(
        None,
        group="choice of tokens, in this order",
        kind=int,
        least=1,
        unit="tokens",
        help="Choose among the N likeliest tokens only. Set it, for example to 10, if single characters or words are out of place.",
    )
    top_p: float = option(
        1.0,
        group="choice of tokens, in this order",
        kind=float,
        above=0,
        most=1,
        help="Choose among the likeliest tokens that together have this probability; 1 keeps all. Lower it, for example to 0.9, to drop unlikely tokens, but keep many where many would fit.",
    )
    min_p: float = option(
        0.0,
        group="choice of tokens, in this order",
        kind=float,
        least=0,
        most=1,
        help="Drop tokens whose probability is below this fraction of the likeliest token's; 0 drops none. Raise it, for example to 0.05, together with the temperature.",
    )
    max_copy: int | None = option(
        None,
        group="copy guard",
        kind=int,
        least=16,
        unit="characters",
        help="Never copy more than N characters in a row from the training text, which must still be where it was. Set it, for example to 40, before you publish what the model writes.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
