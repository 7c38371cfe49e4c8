"""Joins the lines of hard-wrapped paragraphs, after measuring the width to which each file is wrapped.

A job stores only whether its text is unwrapped. So changing a rule here would change the text of existing jobs.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from textgen.corpus.decoding import read_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

AUTO, YES, NO = "auto", "yes", "no"
"""The values of `unwrap`."""

_SAMPLE_SIZE = 1 << 18
"""The number of bytes at the start of a file that are measured: much longer than a title page, but read in a few milliseconds."""

_FEWEST_LINES = 50
"""The minimum number of lines of a file that is measured by itself. Shorter files are measured together with all others."""

_FEWEST_BREAKS = 10
"""The minimum number of line breaks inside paragraphs of a text that is unwrapped."""

_FEWEST_BREAKS_IN_PROMPT = 3
"""The same for a prompt, which is much shorter."""

_LEAST_SHARE = 0.25
"""The minimum share of lines that end inside a paragraph. Dialogue has 0.6; source code with long comments has up to 0.1."""

_NARROWEST = 40
"""The smallest width of prose. Narrower lines are verse, subtitles or the speeches of a screenplay."""

_WIDEST = 250
"""The largest width of prose. Longer lines were never wrapped for reading."""

_LONGEST = 2 * _WIDEST
"""The length as which longer lines are counted."""

_LEAST_LIKENESS = 0.75
"""The minimum width, as a fraction of the length of a long line. Wrapped prose has 0.8 to 1, lines that are not wrapped 0.1 to 0.6."""

_LEAST_LOWER_CASE = 0.25
"""The minimum share of lower case among the letters after line breaks. Prose has 0.6 to 0.95, verse and plays up to 0.15."""

_LEAST_CAPITALS = 0.005
"""The minimum share of capitals among the characters of a text whose lower case is evidence. English has 0.02 to 0.04."""

_SENTENCE_ENDS = (".", "!", "?")
_LOWER, _UPPER, _NONE = "lower", "upper", "none"

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


class _Break(NamedTuple):
    """A kind of line break that may be inside a paragraph."""

    columns: int  # see `columns_needed`
    length: int  # of the line before it
    case: str  # of the first letter after it: lower, upper or none; empty if there is no letter, or it is no evidence


@dataclass
class _Sample:
    """The measurements of some text.

    Attributes:
        characters: its length.
        capitals: its capital letters.
        lines: its lines that are not blank.
        breaks: its line breaks that may be inside a paragraph, counted by kind, so that many files take little memory.
    """

    characters: int = 0
    capitals: int = 0
    lines: int = 0
    breaks: Counter[_Break] = field(default_factory=Counter)

    def add(self, other: _Sample) -> None:
        """Adds the measurements of another text."""
        self.characters += other.characters
        self.capitals += other.capitals
        self.lines += other.lines
        self.breaks += other.breaks

    def count(self, *cases: str) -> int:
        """Returns the number of breaks before characters of some cases."""
        return sum(count for each, count in self.breaks.items() if each.case in cases)

    @property
    def continues_in_lower_case(self) -> bool:
        """Whether most breaks come before a lower-case letter, and not only because there are no capitals."""
        most = 2 * self.count(_LOWER) > self.breaks.total()
        return most and self.capitals >= _LEAST_CAPITALS * self.characters


def find_widths(paths: Sequence[Path], encoding: str, choice: str) -> tuple[int, ...]:
    """Decides whether a text is unwrapped, and measures its files. This reads the start of each.

    Args:
        paths: all files of the text.
        encoding: their encoding.
        choice: `auto` unwraps a text in which most line breaks inside paragraphs come before a lower-case letter, `yes` any
            text with hard-wrapped paragraphs, and `no` none.

    Returns:
        The width of the paragraphs of each file, for `unwrap`; 0 for a file that is not hard-wrapped. Empty if no file is, or
        the text is not unwrapped. The same files always have the same widths, for `auto` and for `yes`.

    Raises:
        TextgenError: as `read_chunks`.
    """
    if choice == NO:
        return ()
    samples = [_measure_file(path, encoding) for path in paths]
    own = [_find_width(sample) if sample.lines >= _FEWEST_LINES else None for sample in samples]
    together = _Sample()
    for sample, width in zip(samples, own, strict=True):
        if width != 0:
            together.add(sample)
    common = _find_width(together)
    widths = tuple(common if width is None else width for width in own)
    return widths if any(widths) and (choice == YES or together.continues_in_lower_case) else ()


def unwrap_prompt(text: str) -> str:
    """Unwraps a prompt of several lines if it is hard-wrapped prose, as in `find_widths`; returns any other prompt unchanged."""
    sample = _measure(text)
    width = _find_width(sample, _FEWEST_BREAKS_IN_PROMPT)
    return "".join(unwrap([text], width)) if width and sample.continues_in_lower_case else text


def _measure_file(path: Path, encoding: str) -> _Sample:
    return _measure(next(read_chunks(path, encoding, _SAMPLE_SIZE), ""))


def _measure(text: str) -> _Sample:
    lines = text.split("\n")
    breaks = Counter(
        _Break(min(columns, _LONGEST), min(len(line.rstrip()), _LONGEST), _case(line, following))
        for line, following in pairwise(lines)
        if (columns := columns_needed(line, following))
    )
    return _Sample(len(text), sum(map(str.isupper, text)), sum(map(bool, map(str.strip, lines))), breaks)


def _case(line: str, following: str) -> str:
    first = following[0]
    if first.islower():  # after a sentence, it shows only that sentences in this text do not start with capitals
        return "" if line.rstrip().endswith(_SENTENCE_ENDS) else _LOWER
    if first.isupper():
        return _UPPER
    return _NONE if first.isalpha() else ""


def _find_width(sample: _Sample, fewest_breaks: int = _FEWEST_BREAKS) -> int:
    """Returns the width that nearly all lines inside a paragraph fill; 0 if the text is not hard-wrapped prose."""
    total, lower, upper = sample.breaks.total(), sample.count(_LOWER), sample.count(_UPPER)
    if total < max(fewest_breaks, _LEAST_SHARE * sample.lines):
        return 0
    if 2 * sample.count(_LOWER, _UPPER, _NONE) < total or lower < _LEAST_LOWER_CASE * (lower + upper):
        return 0
    surest = {each: count for each, count in sample.breaks.items() if each.case == _LOWER} or sample.breaks
    width = _quantile(0.05, ((each.columns, count) for each, count in surest.items()))
    longest = _quantile(0.9, ((each.length, count) for each, count in surest.items()))
    return width if max(_NARROWEST, _LEAST_LIKENESS * longest) <= width <= _WIDEST else 0


def _quantile(fraction: float, numbers: Iterable[tuple[int, int]]) -> int:
    """Returns a quantile of numbers that come with their counts."""
    ordered = sorted(numbers)
    left = fraction * sum(count for _, count in ordered)
    for number, count in ordered:
        left -= count
        if left < 0:
            return number
    raise AssertionError("the fraction is below 1")


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
