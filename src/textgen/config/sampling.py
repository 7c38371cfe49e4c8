"""The settings of a sample, each with its default, limits and help text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from textgen.config.option import option, settings
from textgen.config.values import check_settings, find_setting, plain
from textgen.errors import UsageError, named
from textgen.formatting import shown

OutOfVocabulary: TypeAlias = Literal["error", "skip", "unk"]
"""What to do with tokens of a prompt that are not in the vocabulary: refuse them, skip them, or read them as `[UNK]`."""

LARGEST_BIAS = 100
_CHOICE = "choice of tokens, in this order"
"""The group of the settings that choose tokens."""
_BEFORE_SAMPLERS = ("ban", "logit_bias")
"""The settings of this group that apply before any sampler, also before one of the caller's."""


@dataclass(frozen=True)
class SamplingConfig:
    """How a model writes a text. Immutable, and valid once it exists.

    `until` and `ban` can also be a single text, and `logit_bias` a mapping from tokens to numbers.

    Raises:
        UsageError: if a value is not valid.
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
    best_of: int = option(
        1,
        group="text",
        kind=int,
        least=1,
        unit="texts",
        help="Write N versions of each text, and keep the one that the model finds likeliest per token. Raise it for fewer mistakes.",
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
    ban: tuple[str, ...] = option(
        (),
        group=_CHOICE,
        repeatable=True,
        metavar="TEXT",
        help="Never write this text, not even as a part of a word. Repeat the flag for several texts.",
    )
    logit_bias: tuple[str, ...] = option(
        (),
        group=_CHOICE,
        repeatable=True,
        metavar="TOKEN=X",
        help="Add X, from -100 to 100, to the logit of a token: 1 makes it almost three times as likely, -100 forbids it. Repeat the flag for several tokens.",
    )
    repetition_penalty: float = option(
        1.0,
        group=_CHOICE,
        kind=float,
        least=1,
        most=100,
        help="Make each of the last 64 tokens less likely; 1 changes nothing. Raise it, for example to 1.1, if a word model repeats itself.",
    )
    temperature: float = option(
        0.8,
        group=_CHOICE,
        kind=float,
        least=0,
        help="Sample more or less boldly: 0 always takes the likeliest token, 1 follows the model's probabilities, more is wilder. Lower it if the text makes no sense; raise it if it repeats itself.",
    )
    top_k: int | None = option(
        None,
        group=_CHOICE,
        kind=int,
        least=1,
        unit="tokens",
        help="Choose among the N likeliest tokens only. Set it, for example to 10, if single characters or words are out of place.",
    )
    top_p: float = option(
        1.0,
        group=_CHOICE,
        kind=float,
        above=0,
        most=1,
        help="Choose among the likeliest tokens that together have this probability; 1 keeps all. Lower it, for example to 0.9, to drop unlikely tokens, but keep many where many would fit.",
    )
    min_p: float = option(
        0.0,
        group=_CHOICE,
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
        biases = self.logit_bias
        if isinstance(biases, Mapping):
            for token in biases:
                if not isinstance(token, str):
                    raise UsageError(f"{named('logit_bias')} must name tokens by their text, got {shown(token)}")
            object.__setattr__(self, "logit_bias", tuple(f"{token}={bias}" for token, bias in biases.items()))
        object.__setattr__(self, "until", _as_texts("until", self.until))
        object.__setattr__(self, "ban", _as_texts("ban", self.ban))
        wanted = "a mapping from tokens to numbers"
        object.__setattr__(self, "logit_bias", _as_texts("logit_bias", self.logit_bias, wanted))
        check_settings(self)
        self.biases()

    @classmethod
    def from_keywords(cls, **values: Any) -> SamplingConfig:
        """Makes a config from keywords, which are the names of its settings.

        Raises:
            UsageError: if there is no setting of a name, or a value is not valid.
        """
        return cls(**{find_setting(name, settings(cls)).name: plain(value) for name, value in values.items()})

    def biases(self) -> dict[str, float]:
        """Returns the numbers of `logit_bias` by token."""
        found: dict[str, float] = {}
        for text in self.logit_bias:
            token, _, number = text.rpartition("=")
            try:
                bias = float(number)
            except ValueError:
                bias = math.nan
            if not token or not abs(bias) <= LARGEST_BIAS:
                raise UsageError(
                    f"{named('logit_bias')} must be a token, = and a number from -{LARGEST_BIAS} to {LARGEST_BIAS}, got {shown(text)}"
                )
            found[token] = bias
        return found


def choice_settings() -> list[str]:
    """Returns the names of the settings that choose among the tokens, which a sampler of one's own replaces."""
    of_choice = [setting.name for setting in settings(SamplingConfig) if setting.option.group == _CHOICE]
    return [name for name in of_choice if name not in _BEFORE_SAMPLERS]


def _as_texts(name: str, value: Any, wanted: str = "a text, or a list of texts") -> tuple[str, ...]:
    """Returns one text or several as a tuple."""
    texts = (value,) if isinstance(value, str) else value
    if isinstance(texts, Iterable):
        texts = tuple(texts)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise UsageError(f"{named(name)} must be {wanted}, got {shown(value)}")
