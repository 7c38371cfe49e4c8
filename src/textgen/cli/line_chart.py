"""Draws lines on a terminal with Braille characters, each of which has eight dots.

Two lines and two axes do not justify a library: of those that draw on terminals, one takes half a second to import and has just
replaced its interface, and the others bring ticks and legends of their own that would have to be replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot, by row and column (Unicode, "Braille Patterns")."""
_ROWS = 16
_LEAST_COLUMNS = 20
_DASH = 2
"""The length of the dashes of a dashed line, and of the gaps between them, in dots."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        points: the x and y of each point, from left to right.
        style: a style of rich.
        dashed: whether the line is dashed, so that it can be told apart without colours.
    """

    points: Sequence[tuple[float, float]]
    style: str
    dashed: bool = False


def draw(lines: Sequence[Line], width: int) -> list[Text]:
    """Draws lines, with the least and the largest x and y on the axes.

    Args:
        lines: the lines, with at least one point. A later line covers an earlier one: a character has one colour, so it shows one line.
        width: the columns of the chart.

    Returns:
        The rows of the chart.
    """
    from rich.text import Text

    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    left, right, bottom, top = min(xs), max(xs), min(ys), max(ys)
    labels = {row: f"{value:.4g}" for row, value in ((0, top), (_ROWS // 2, (top + bottom) / 2), (_ROWS - 1, bottom))}
    margin = max(map(len, labels.values()))
    columns = max(width - margin - 2, _LEAST_COLUMNS)
    cells: dict[tuple[int, int], tuple[int, str]] = {}
    for line in lines:
        scaled = [
            (_scale(x, left, right, 2 * columns - 1), _scale(y, top, bottom, 4 * _ROWS - 1)) for x, y in line.points
        ]
        own: dict[tuple[int, int], int] = {}
        for x, y in _dots(scaled, dashed=line.dashed):
            place = y // 4, x // 2
            own[place] = own.get(place, 0) | _DOTS[y % 4][x % 2]
        cells |= {place: (bits, line.style) for place, bits in own.items()}
    rows = []
    for row in range(_ROWS):
        text = Text(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}")
        for column in range(columns):
            bits, style = cells.get((row, column), (0, ""))
            text.append(chr(_BLANK + bits) if bits else " ", style)
        rows.append(text)
    first, last = f"{left:,.0f}", f"{right:,.0f}" if right > left else ""
    rows.append(Text(f"{'':{margin}} └{'─' * columns}"))
    rows.append(Text(f"{'':{margin}}  {first}{last:>{columns - len(first)}}"))
    return rows


def _scale(value: float, first: float, last: float, most: int) -> int:
    """Returns the dot of a value between two others, from 0 to `most`; the middle if these are equal."""
    return round((value - first) / (last - first) * most) if last != first else most // 2


def _dots(points: Sequence[tuple[int, int]], *, dashed: bool) -> Iterator[tuple[int, int]]:
    """Yields the dots of straight lines from point to point, with gaps if they are dashed."""
    for number, dot in enumerate(_connected(points)):
        if not dashed or number // _DASH % 2 == 0:
            yield dot


def _connected(points: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields the dots of straight lines from point to point."""
    yield points[0]
    for (x, y), (next_x, next_y) in pairwise(points):
        steps = max(abs(next_x - x), abs(next_y - y))
        for step in range(1, steps + 1):
            yield x + round((next_x - x) * step / steps), y + round((next_y - y) * step / steps)
