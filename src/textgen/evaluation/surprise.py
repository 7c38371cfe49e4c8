"""Lists how surprised a model is by the tokens or the lines of a text, alone or next to another model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textgen.generation.scored_text import Alternative, ScoredText

NATS_PER_BIT = math.log(2)


class Part(NamedTuple):
    """A token of a text or, if two models split it into different tokens, the shortest part that both have in common.

    Attributes:
        text: the part. All parts together are the text.
        offset: the index of its first character in the text.
        nats: minus the log-probability that the model gives it; None if it contains the first token, which is not predicted.
        other_nats: the same for the other model; None without one.
        rank: the rank of the token, as in `ScoredToken`; None for parts of two models.
        top: the likeliest tokens in its place, likewise.
    """

    text: str
    offset: int
    nats: float | None
    other_nats: float | None = None
    rank: int | None = None
    top: tuple[Alternative, ...] = ()

    @property
    def bits(self) -> float | None:
        """The surprise of the model, in bits; None for the first token."""
        return None if self.nats is None else self.nats / NATS_PER_BIT

    @property
    def other_bits(self) -> float | None:
        """The surprise of the other model; None without one, and for its first token."""
        return None if self.other_nats is None else self.other_nats / NATS_PER_BIT

    @property
    def more_bits(self) -> float | None:
        """How many more bits the part takes the model than the other one; None if one of them did not predict it."""
        return None if self.nats is None or self.other_nats is None else (self.nats - self.other_nats) / NATS_PER_BIT


@dataclass(frozen=True)
class Line:
    """A line of a text.

    Attributes:
        number: its number, from 1. Lines without any token, such as empty ones, are not listed.
        parts: its parts, including the line break after it.
    """

    number: int
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The line, without line breaks and the white space beyond them."""
        text = "".join(part.text for part in self.parts)
        start = text.rfind("\n", 0, len(text) - len(text.lstrip())) + 1 if text.strip() else 0
        end = text.find("\n", max(len(text.rstrip()), start))
        return text[start:] if end < 0 else text[start:end]


class Total(NamedTuple):
    """The surprise of some parts that were predicted, by both models if there are two.

    Attributes:
        characters: the number of characters.
        bits: the bits that the model needs for them.
        other_bits: those that the other model needs; 0 without one.
    """

    characters: int
    bits: float
    other_bits: float

    @property
    def bits_per_character(self) -> float | None:
        """Those of the model; None if nothing was predicted."""
        return self.bits / self.characters if self.characters else None

    @property
    def other_bits_per_character(self) -> float | None:
        """Those of the other model; None if nothing was predicted."""
        return self.other_bits / self.characters if self.characters else None


def parts_of(scored: ScoredText) -> Iterator[Part]:
    """Yields the tokens of a text as parts."""
    for token in scored:
        yield Part(token.text, token.offset, token.nats, None, token.rank, token.top)


def common_parts(scored: ScoredText, other: ScoredText) -> Iterator[Part]:
    """Yields the parts of a text that two models have scored, even if they split it into different tokens.

    Args:
        scored: the text, with the scores of the model.
        other: the same text, with the scores of the other model.
    """
    text = scored.text.text
    ends = sorted({*scored.text.offsets} & {*other.text.offsets})
    sums = zip(_sums(scored, ends), _sums(other, ends), strict=True)
    for start, end, (nats, other_nats) in zip(ends, [*ends[1:], len(text)], sums, strict=True):
        yield Part(text[start:end], start, nats, other_nats)


def lines_of(parts: Iterable[Part]) -> Iterator[Line]:
    """Puts the parts of a text together to lines. A part belongs to the line in which its first visible character is."""
    for number, some in groupby(_numbered(parts), key=lambda pair: pair[0]):
        yield Line(number, tuple(part for _, part in some))


def total(parts: Iterable[Part], *, of_two: bool = False) -> Total:
    """Sums the surprise of parts.

    Args:
        parts: the parts; those that were not predicted are left out.
        of_two: whether there is another model.
    """
    characters, nats, other_nats = 0, 0.0, 0.0
    for part in parts:
        if part.nats is None or (of_two and part.other_nats is None):
            continue
        characters += len(part.text)
        nats += part.nats
        other_nats += part.other_nats or 0.0
    return Total(characters, nats / NATS_PER_BIT, other_nats / NATS_PER_BIT)


def _sums(scored: ScoredText, starts: list[int]) -> Iterator[float | None]:
    """Yields the nats of each part that begins at one of the offsets; None for the one with the first token."""
    tokens = iter(zip(scored.text.offsets, [None, *scored.scores.nats.tolist()], strict=True))
    upcoming = next(tokens, None)
    for end in [*starts[1:], math.inf]:
        nats: float | None = 0.0
        while upcoming is not None and upcoming[0] < end:
            nats = None if nats is None or upcoming[1] is None else nats + upcoming[1]
            upcoming = next(tokens, None)
        yield nats


def _numbered(parts: Iterable[Part]) -> Iterator[tuple[int, Part]]:
    """Yields parts with the numbers of their lines."""
    number = 1
    for part in parts:
        before = part.text[: len(part.text) - len(part.text.lstrip())] if part.text.strip() else ""
        number += before.count("\n")
        yield number, part
        number += part.text.count("\n") - before.count("\n")
