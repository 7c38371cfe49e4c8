"""Decides which tint shows how surprised a model is, on a page and on a terminal, by the scales of the playground."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_STYLE = Path(__file__).with_name("playground") / "style.css"


class Tint(NamedTuple):
    """A tint of a scale.

    Attributes:
        name: its class in the style sheet.
        label: its name in the legend; empty for one between two others.
        most: the largest value for which it is used.
    """

    name: str
    label: str
    most: float


SURPRISE = (
    Tint("s0", "expected", 0.5),
    Tint("s1", "", 1),
    Tint("s2", "", 2),
    Tint("s3", "2 bits", 4),
    Tint("s4", "", 6),
    Tint("s5", "", 9),
    Tint("s6", "a surprise", float("inf")),
)
"""The tints of a token by its bits, as in `colours.js`."""


def comparison(model: str, other: str) -> tuple[Tint, ...]:
    """Returns the tints of a part by how many more bits it takes a model than another one.

    Args:
        model: the name of the model.
        other: the name of the other one.
    """
    return (
        Tint("n0", f"{model} is less surprised", -3),
        Tint("n1", "", -1.5),
        Tint("n2", "", -0.5),
        Tint("n3", "no difference", 0.5),
        Tint("n4", "", 1.5),
        Tint("n5", "", 3),
        Tint("n6", f"{other} is less surprised", float("inf")),
    )


def tint_of(scale: Sequence[Tint], value: float | None) -> str:
    """Returns the name of the tint for a value; empty for no value."""
    return "" if value is None else next((tint.name for tint in scale if value <= tint.most), "")


@cache
def light_colours() -> Mapping[str, str]:
    """Returns the colours of the tints by day, such as `#cfe2f4`, by name, and that of the text on them as `ink`."""
    by_day, _ = _STYLE.read_text(encoding="utf-8").split("@media", 1)
    return dict(re.findall(r"--(ink|[sn]\d): (#[0-9a-f]{6})", by_day))
