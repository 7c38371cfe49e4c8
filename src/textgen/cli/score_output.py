"""Writes scores to standard output: coloured on a terminal, fields with tabs in a pipe, or lines of JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textgen.cli.standard_output import encode_output, put_json, write_line, write_table
from textgen.evaluation.surprise import NATS_PER_BIT, Line, Part, Total, lines_of, total
from textgen.formatting import count, not_comparable
from textgen.generation.model_place import model_name

if TYPE_CHECKING:
    from textgen.evaluation.ranking import Pair

_HEAD = ("model", "rank", "bits/char", "text", "")


@dataclass(frozen=True)
class Shown:
    """A text with its scores.

    Attributes:
        text: its name.
        models: the path or URI, and the hash, of the model and, if there is one, of the other model.
        parts: the parts of the text.
        tokens: the number of tokens of the model.
        unknown_share: the share of the tokens that the model, or the other one, reads as `[UNK]`.
        temperatures: those of the alternatives.
    """

    text: str
    models: Sequence[tuple[str, str]]
    parts: Sequence[Part]
    tokens: int
    unknown_share: float
    temperatures: Sequence[float]

    @property
    def compares(self) -> bool:
        """Whether there are two models."""
        return len(self.models) > 1

    @property
    def names(self) -> list[str]:
        """Short names of the models, if these tell them apart."""
        places = [place for place, _ in self.models]
        names = list(map(model_name, places))
        return names if len({*names}) == len(names) else places

    @cached_property
    def total(self) -> Total:
        """The sum of all parts."""
        return total(self.parts, of_two=self.compares)

    def total_of(self, line: Line) -> Total:
        """The sum of the parts of a line."""
        return total(line.parts, of_two=self.compares)

    def scores(self, sum_of_parts: Total) -> list[float | None]:
        """The bits per character of each model."""
        both = [sum_of_parts.bits_per_character, sum_of_parts.other_bits_per_character]
        return both[: len(self.models)]


def write_ranking(ranked: Sequence[tuple[int | None, Pair]], *, as_json: bool) -> None:
    """Writes ranked pairs of models and texts."""
    encode_output("backslashreplace")
    if as_json:
        for place, pair in ranked:
            put_json({"rank": place, "job": pair.model, "text": pair.text, **_figures(pair)})
    elif sys.stdout.isatty():
        several = len({pair.text for _, pair in ranked}) > 1 and len({pair.model for _, pair in ranked}) > 1
        rows, before = [_HEAD], ranked[0][1].text
        for place, pair in ranked:
            if several and pair.text != before:
                rows.append(("", "", "", "", ""))
            before = pair.text
            note = not_comparable(pair.unknown_share) if pair.unknown_share else ""
            rows.append((pair.model, str(place or "-"), f"{pair.bits_per_character:.3f}", pair.text, note))
        write_table(rows)
    else:
        for _, pair in ranked:
            write_line(*map(str, _figures(pair).values()), pair.model, pair.text)


def write_text(shown: Shown, *, as_json: bool) -> None:
    """Writes the whole text with its bits per character."""
    encode_output("backslashreplace")
    bits = shown.scores(shown.total)
    if not as_json and sys.stdout.isatty():
        from textgen.cli.tinted_text import TintedText

        tinted = TintedText(shown.names)
        written = 0
        for line in lines_of(shown.parts):
            for _ in range(written + 1, line.number):
                tinted.write(())
            tinted.write(line.parts)
            written = line.number
        tinted.write_legend()
        tinted.say(_summary(shown))
        return
    for (place, sha256), score in zip(shown.models, bits, strict=True):
        figures = {
            "bits_per_character": score,
            "characters": shown.total.characters,
            "unknown_share": shown.unknown_share,
        }
        if as_json:
            put_json({"job": place, "text": shown.text, **figures, "tokens": shown.tokens, "model": sha256})
        else:
            write_line(*map(_cell, figures.values()), place, shown.text)


def write_lines(shown: Shown, *, as_json: bool) -> None:
    """Writes each line of the text with its bits per character, those of the other model too if there is one."""
    encode_output("backslashreplace")
    on_terminal = not as_json and sys.stdout.isatty()
    if on_terminal:
        from textgen.cli.tinted_text import TintedText

        tinted = TintedText(shown.names)
    for line in lines_of(shown.parts):
        sums = shown.total_of(line)
        bits = shown.scores(sums)
        if as_json:
            fields = {"line": line.number, "text": line.text, **_by_model("bits_per_character", bits)}
            put_json({**fields, "characters": sums.characters})
        elif on_terminal:
            tinted.write(line.parts, "".join(f"{_short(score):>6}  " for score in bits))
        else:
            write_line(*map(_cell, bits), str(sums.characters), line.text)
    if on_terminal:
        tinted.write_legend()
        tinted.say(_summary(shown))


def write_tokens(shown: Shown, *, as_json: bool) -> None:
    """Writes each token with its bits and its rank, and with its alternatives below it."""
    encode_output("backslashreplace")
    on_terminal = sys.stdout.isatty() and not as_json
    widths: list[int] = []
    if on_terminal:
        names = shown.names if shown.compares else ["bits", "rank"]
        widths = [max(len(name), 6) for name in names]
        heads = "".join(f"{f'T={temperature:g}':>8}" for temperature in shown.temperatures)
        columns = "  ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
        write_line(f"{columns}  {'token':14}{heads}".rstrip())
    for part in shown.parts:
        bits = [part.bits] if not shown.compares else [part.bits, part.other_bits]
        if as_json:
            put_json(_token_fields(shown, part, bits))
            continue
        rank = [] if shown.compares else ["-" if part.rank is None else str(part.rank)]
        if not on_terminal:
            write_line(*map(_cell, bits), *rank, part.text)
            for other in part.top:
                write_line("", "", "", other.text, *map(str, other.probabilities))
            continue
        cells = zip((*map(_short, bits), *rank), widths, strict=True)
        write_line("  ".join(f"{cell:>{width}}" for cell, width in cells) + f"  {part.text!r}")
        for other in part.top:
            shares = "".join(f"{100 * share:>7.1f}%" for share in other.probabilities)
            write_line(f"{'':16}{other.text!r:<14}{shares}")


def _token_fields(shown: Shown, part: Part, bits: Sequence[float | None]) -> dict[str, Any]:
    fields: dict[str, Any] = {"text": part.text, "offset": part.offset, **_by_model("bits", bits)}
    if not shown.compares:
        fields["rank"] = part.rank
    if shown.temperatures:
        fields["top"] = [
            {
                "text": other.text,
                "bits": other.nats / NATS_PER_BIT,
                "probabilities": dict(zip(map(str, shown.temperatures), other.probabilities, strict=True)),
            }
            for other in part.top
        ]
    return fields


def _by_model(name: str, bits: Sequence[float | None]) -> dict[str, float | None]:
    return dict(zip((name, f"other_{name}"), bits, strict=False))


def _figures(pair: Pair) -> dict[str, Any]:
    return {
        "bits_per_character": pair.bits_per_character,
        "characters": pair.characters,
        "unknown_share": pair.unknown_share,
    }


def _cell(value: float | None) -> str:
    return "-" if value is None else str(value)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 2) + 0:.2f}"  # without a minus for a rounded 0


def _summary(shown: Shown) -> str:
    """Returns the last line: the bits per character of each model."""
    sums = shown.total
    characters = f"{count(sums.characters, 'character')} in {count(shown.tokens - 1, 'token')}"
    if shown.compares:
        pairs = zip(shown.names, shown.scores(sums), strict=True)
        scores = ", ".join(f"{name} {_short(score)}" for name, score in pairs)
        return f"Bits per character: {scores}; {count(sums.characters, 'character')}"
    note = f" ({not_comparable(shown.unknown_share)})" if shown.unknown_share else ""
    return f"{_short(sums.bits_per_character)} bits per character{note}; {characters}"
