"""The settings of a sample: the one place for a default, a limit and a help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from textgen.config.option import option
from textgen.config.validation import check_settings

OutOfVocabulary: TypeAlias = Literal["error", "skip", "unk"]
"""What to do with tokens of a prompt that are not in the vocabulary: refuse, leave them out, or read `[UNK]` instead."""


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
        help="Write at most this much: characters for a char model; words, punctuation and spaces for a word model.",
    )
    until: tuple[str, ...] = option(
        (),
        group="text",
        repeatable=True,
        metavar="TEXT",
        help="Stop after this text, which is included. May be given several times; the first that comes ends the text.",
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
        help="Fix the random numbers. Set it to get the same text again; none gives a different one each time.",
    )
    oov: Literal["error", "skip", "unk"] = option(
        "error",
        group="text",
        choices=("error", "skip", "unk"),
        help="Handle characters or words of the prompt that the model does not know: stop with an error, skip them, or read [UNK] in their place.",
    )
    temperature: float = option(
        0.8,
        group="choice of tokens, in this order",
        kind=float,
        least=0,
        help="Make the choice of tokens more or less daring: 0 always takes the likeliest, 1 follows the model's probabilities, more is wilder. Lower it when the text makes no sense, raise it when it repeats itself.",
    )
    top_k: int | None = option(
        None,
        group="choice of tokens, in this order",
        kind=int,
        least=1,
        unit="tokens",
        help="Choose among the N likeliest tokens only. Set it, for example to 10, when single characters or words are out of place.",
    )
    top_p: float = option(
        1.0,
        group="choice of tokens, in this order",
        kind=float,
        above=0,
        most=1,
        help="Choose among the likeliest tokens that together have this probability; 1 is all. Lower it, for example to 0.9, for the same purpose: it keeps more tokens where many would do.",
    )
    min_p: float = option(
        0.0,
        group="choice of tokens, in this order",
        kind=float,
        least=0,
        most=1,
        help="Leave out tokens that are less probable than this fraction of the likeliest; 0 leaves none out. Raise it, for example to 0.05, together with the temperature.",
    )
    repetition_penalty: float = option(
        1.0,
        group="choice of tokens, in this order",
        kind=float,
        least=1,
        most=100,
        help="Make each of the last 64 tokens less likely, before anything else; 1 does not. Raise it, for example to 1.1, when a word model repeats itself.",
    )
    max_copy: int | None = option(
        None,
        group="copy guard",
        kind=int,
        least=16,
        unit="characters",
        help="Never copy more than N characters in a row from the training text, which must still be in its place. Set it, for example to 40, to publish what the model writes.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
