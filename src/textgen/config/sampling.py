"""The settings of a sample: the one place where a default, a limit and a help text stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from textgen.config.option import option
from textgen.config.validation import check_settings

OutOfVocabulary: TypeAlias = Literal["error", "skip", "unk"]
"""What to do with a prompt's tokens that the vocabulary lacks: refuse, leave them out, or read `[UNK]` instead."""


@dataclass(frozen=True)
class SamplingConfig:
    """How a text is written. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value out of range.
    """

    length: int = option(
        400,
        group="text",
        kind=int,
        least=0,
        unit="tokens",
        help="How much to write at most: characters for a char model; words, marks and spaces for a word model.",
    )
    until: tuple[str, ...] = option(
        (),
        group="text",
        repeatable=True,
        metavar="TEXT",
        help="Ends the text where this is written; it is the last of it. May be given several times: the first that comes ends the text.",
    )
    lines: int | None = option(
        None,
        group="text",
        kind=int,
        least=1,
        unit="lines",
        help="Ends the text after so many lines; what continues the prompt's last line is the first. Set it for verse and lists.",
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
    temperature: float = option(
        0.8,
        group="choice of tokens, in this order",
        kind=float,
        least=0,
        help="How daring the choice of each token is: 0 always takes the likeliest, 1 follows the model's probabilities, more is wilder. Lower it when the text makes no sense, raise it when it repeats itself.",
    )
    top_k: int | None = option(
        None,
        group="choice of tokens, in this order",
        kind=int,
        least=1,
        unit="tokens",
        help="Chooses among so many of the likeliest tokens only. Set it, to 10 for example, when single characters or words are out of place.",
    )
    top_p: float = option(
        1.0,
        group="choice of tokens, in this order",
        kind=float,
        above=0,
        most=1,
        help="Chooses among the likeliest tokens that together have this probability; 1 is all. Lower it, to 0.9 for example, for a similar end: it keeps more tokens where many would do.",
    )
    min_p: float = option(
        0.0,
        group="choice of tokens, in this order",
        kind=float,
        least=0,
        most=1,
        help="Leaves out tokens that are less probable than this share of the likeliest; 0 leaves none out. Raise it, to 0.05 for example, together with the temperature.",
    )
    repetition_penalty: float = option(
        1.0,
        group="choice of tokens, in this order",
        kind=float,
        least=1,
        most=100,
        help="Makes each of the last 64 tokens less likely, before all else; 1 does not. Raise it, to 1.1 for example, when a word model says the same again and again.",
    )
    max_copy: int | None = option(
        None,
        group="copy guard",
        kind=int,
        least=16,
        unit="characters",
        help="Never copies more than so many characters in a row from the training text, which must still be where it was. Set it, to 40 for example, to publish what the model writes.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
