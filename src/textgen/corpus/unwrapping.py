"""Joins the lines of hard-wrapped paragraphs."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FEWEST_SPACES = 3
"""The minimum number of spaces in a wrapped line of prose. Headings, signatures, lists of words and most tables have fewer."""

_COLUMNS = " " * 4
"""What can separate the columns of a table, but not the words of prose."""

_STARTS_BLOCK = re.compile(r"\s|[|>]|```|(?:[-*+•]|#+|\d{1,3}[.)]|[A-Za-z]\))\s|[-=*_~]{3,}\s*$")
"""The start of an indented line, a table, a quotation, code, a heading or an item of a list, or a line that only separates."""

_LONGEST_START = 200
"""The maximum number of characters at the start of a line that are searched for such a start."""

_NEAR = 0.9
"""The fraction of the width that a line has to fill. Most lines of a wrapped paragraph fill all of it, but some are a little shorter."""

_NEAR_BEFORE_LOWER_CASE = 0.75
"""The same before a lower-case letter, which is further evidence. Some early electronic books break lines at commas."""

_LONGER = 3
"""A line of this many times the width was not wrapped to it. It may be a whole paragraph."""

_DASHES = "-–—"  # noqa: RUF001 - as in print
_HYPHEN = re.compile(r"[^\W_]-\n[^\W_]")
_DASH = re.compile(r"[^\s–—-](?:(?:--+|[–—])\n|\n(?:--+|[–—]))[^\s–—-]")  # noqa: RUF001 - as in print

_LONGEST_HELD = 1 << 16
"""The maximum number of characters of a line that are kept until it ends; longer than any line that is joined to the next one."""


def columns_needed(line: str, following: str) -> int:
    """Returns the length that a line would have together with the first word of the following line.

    It is 0 if the break between the lines cannot be inside a paragraph, whatever the width: the line is not prose, or the
    following line is empty or starts a new block.

    Args:
        line: a line, without its line break.
        following: the line after it.
    """
    if not following or (not following[:2].isalpha() and _STARTS_BLOCK.match(following[:_LONGEST_START])):
        return 0
    words = line.strip()
    if words.count(" ") < _FEWEST_SPACES or "\t" in words or _COLUMNS in words:
        return 0
    first_word = following.find(" ")
    return len(line.rstrip()) + 1 + (first_word if first_word > 0 else len(following))


def unwrap(pieces: Iterable[str], width: int) -> Iterator[str]:
    """Joins the lines of hard-wrapped paragraphs; everything else stays as it is.

    A line break is inside a paragraph if the first word of the following line would not have fitted into the width. Such a
    break becomes a space. It is removed after a hyphen and next to a dash that touches a word. The hyphen stays, because in
    plain text it nearly always belongs to the word, as in well-known. The dash gets no space, because in a text with spaces
    around its dashes, there is a space on the line as well.

    Args:
        pieces: a text, in pieces that may end anywhere.
        width: the width of its paragraphs, from `find_widths`.

    Yields:
        The text, in other pieces that may end anywhere; none is empty.
    """
    line: str | None = None  # the last line that has ended; its break depends on the next line
    start = ""  # of the next line
    is_long = False  # whether the start of the next line was already yielded, because it is long
    for piece in pieces:
        text = start + piece
        if is_long:
            end = text.find("\n") + 1
            if not end:
                yield text
                continue
            yield text[:end]
            text, is_long = text[end:], False
        *ended, start = text.split("\n")
        if line is not None:
            ended.insert(0, line)
        if ended:
            line = ended[-1]
        if len(ended) > 1:
            yield _join(ended, width)[: -len(ended[-1]) or None]
        if len(start) > _LONGEST_HELD:
            yield start if line is None else _join([line, start], width)
            line, start, is_long = None, "", True
    if line is not None:
        yield _join([line, start], width)
    elif start:
        yield start


def _join(lines: Sequence[str], width: int) -> str:
    """Joins lines, each with a line break, a space or nothing between it and the following one."""
    near, near_before_lower_case, long = _NEAR * width, _NEAR_BEFORE_LOWER_CASE * width, _LONGER * width
    parts: list[str] = []
    for whole, following in pairwise(lines):
        columns = columns_needed(whole, following) if len(whole) < long else 0
        if columns and columns >= (near_before_lower_case if following[0].islower() else near):
            line = whole.rstrip()
            parts += line, _glue(line, following)
        else:
            parts += whole, "\n"
    return "".join([*parts, lines[-1]])


def _glue(line: str, following: str) -> str:
    """Returns what replaces the break between two lines of a paragraph."""
    if line[-1] not in _DASHES and following[0] not in _DASHES:
        return " "
    around = f"{line}\n{following}"
    return "" if _HYPHEN.search(around) or _DASH.search(around) else " "
