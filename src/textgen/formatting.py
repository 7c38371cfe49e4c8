"""Formats values for people: in messages, plans and help texts."""

from __future__ import annotations

import difflib
import reprlib
import textwrap
from collections.abc import Iterable
from typing import Any

_MOST_SHOWN = 60
_MOST_SUGGESTED = 3


def shown(value: Any) -> str:
    """Returns a wrong value for a message: as Python writes it, shortened if long."""
    try:
        text = reprlib.repr(value)
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        return "a number with thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def described(value: Any) -> str:
    """Returns the value of a setting as users would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, tuple) and value:
        return " ".join(map(repr, value))
    return "none" if value in {None, "", ()} else str(value)


def count(number: float, one: str, several: str | None = None) -> str:
    """Returns a number with its unit, such as `"1 step"` or `"1,200 steps"`.

    Args:
        number: the number.
        one: the unit of 1.
        several: the unit of any other number; None for `one` with an s.
    """
    return f"{number:,.12g} {one if number == 1 else several or f'{one}s'}"


def rounded(number: float) -> str:
    """Returns a number with two significant digits, such as `"1,200"` or `"0.35"`."""
    return f"{float(f'{number:.2g}'):,.12g}"


def percent(share: float) -> str:
    """Returns a share, from 0 to 1, as a percentage with three significant digits, such as `"3.25%"`."""
    return f"{100 * share:.3g}%"


def not_comparable(unknown_share: float) -> str:
    """Returns why the bits per character of a text with `[UNK]` cannot be compared with those of other texts.

    Args:
        unknown_share: the share of the text's tokens that are `[UNK]`, above 0.
    """
    return f"not comparable: {percent(unknown_share)} of the tokens are [UNK]"


def one_line(text: object) -> str:
    """Returns a text with each run of white space, line breaks included, replaced by a space."""
    return " ".join(str(text).split())


def shorten(text: str, longest: int = 200) -> str:
    """Shortens a text to one line without a full stop, for use inside a message."""
    return textwrap.shorten(text, longest).rstrip(".")


def nearest(name: str, known: Iterable[str], dashes: str = "") -> str:
    """Returns `"; did you mean …?"` if a known name begins with this one or is close to it, else an empty text.

    Args:
        name: the given name, in any case.
        known: the known names, in lower case.
        dashes: the text to put before each known name, such as dashes.
    """
    known, name = list(known), name.lower()
    close = [other for other in known if other.startswith(name)]
    if not 0 < len(close) <= _MOST_SUGGESTED:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {' or '.join(dashes + other for other in close)}?" if close else ""
