"""Draws line charts and bar charts as SVG, which gets its colours and fonts from the style sheet of the page around it.

Numbers become coordinates here, and everything that is drawn has a class instead of a style, because the page's content security policy
allows no styles inside elements. docs/decisions/0021-report.md gives the reasons against a plotting library.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from textgen.console import visible
from textgen.portable.report_page.scales import Axis, Scale

WIDE, NARROW = 560, 420
"""The widths of a chart. All texts in it have the same size, so a page shows it in about this width."""
_HEIGHT = 300
_RIGHT, _TOP, _BOTTOM = 20, 34, 46
_BESIDE_LABELS, _DIGIT = 12, 9
"""The width of the space beside the labels of the vertical axis, and of a digit of these."""
_LEVEL_LABELS = 100
"""The width to the right of a chart that has labelled levels."""
_LABEL_HEIGHT = 18
_LEAST_LENGTH = 1e-6
"""The least value of the longest bar."""
_MOST_MARKED = 40
"""The most points of a line that are marked; with more, the marks would cover the line."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: its name in the legend.
        points: the x and y of each point, from left to right.
        style: the number of its look in the style sheet, which combines a colour, dashes and a mark.
    """

    name: str
    points: Sequence[tuple[float, float]]
    style: int


@dataclass(frozen=True)
class Level:
    """A labelled horizontal line.

    Attributes:
        name: its label.
        value: its place on the vertical axis.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Bar:
    """A bar with its label on the left and its value at its end.

    Attributes:
        name: the label.
        value: its length, not negative.
        label: the value for people.
        stands_out: whether it is the one that the others are compared with.
    """

    name: str
    value: float
    label: str
    stands_out: bool = False


def draw_lines(
    title: str, lines: Sequence[Line], x: Axis, y: Axis, *, levels: Sequence[Level] = (), width: int = WIDE
) -> str:
    """Draws lines.

    Args:
        title: what screen readers say instead of the drawing.
        lines: the lines; a later one covers an earlier one.
        x: the horizontal axis.
        y: the vertical axis.
        levels: horizontal lines to compare with.
        width: `WIDE` or `NARROW`.

    Returns:
        The SVG element; empty if there is nothing to draw.
    """
    shown = [[point for point in line.points if x.shows(point[0]) and y.shows(point[1])] for line in lines]
    levels = [level for level in levels if y.shows(level.value)]
    points = [point for line in shown for point in line]
    if not points:
        return ""
    up = Scale.of(
        y, [*(value for _, value in points), *(level.value for level in levels)], _HEIGHT - _BOTTOM, _TOP
    ).rounded
    left = _BESIDE_LABELS + _DIGIT * max(len(y.form(value)) for value in up.ticks)
    right = width - (_LEVEL_LABELS if levels else _RIGHT)
    across = Scale.of(x, [place for place, _ in points], left, right)
    parts = [_axes(across, up)]
    for level, place in zip(levels, _apart([up(level.value) for level in levels]), strict=True):
        at = _number(up(level.value))
        parts += [
            f'<path class="level" d="M{left} {at}H{right}"/>',
            _text("level-label", right + 6, place + 4, level.name),
        ]
    for line, found in zip(lines, shown, strict=True):
        path = "L".join(f"{_number(across(place))} {_number(up(value))}" for place, value in found)
        parts.append(f'<path class="line l{line.style}" d="M{path}"/>' if found else "")
        if len(found) <= _MOST_MARKED:
            parts += [mark(line.style, across(place), up(value)) for place, value in found]
    return _drawing(title, width, _HEIGHT, parts)


def draw_bars(title: str, bars: Sequence[Bar]) -> str:
    """Draws horizontal bars, one below the other.

    Args:
        title: what screen readers say instead of the drawing.
        bars: the bars.

    Returns:
        The SVG element; empty if there are no bars.
    """
    if not bars:
        return ""
    left, height = 110, 30
    scale = (WIDE - left - 80) / max(*(bar.value for bar in bars), _LEAST_LENGTH)
    parts = []
    for number, bar in enumerate(bars):
        top, width = number * height, max(bar.value, 0) * scale
        name = "bar ours" if bar.stands_out else "bar"
        parts += [
            _text("bar-name", left - 8, top + 20, bar.name, anchor="end"),
            f'<rect class="{name}" x="{left}" y="{top + 5}" width="{_number(max(width, 1))}" height="{height - 10}" rx="3"/>',
            _text("bar-value", left + width + 6, top + 20, bar.label),
        ]
    return _drawing(title, WIDE, len(bars) * height, parts)


def legend(lines: Iterable[Line]) -> str:
    """Returns the legend of lines as an HTML list."""
    items = (
        f'<li><svg class="sample" viewBox="0 0 36 12" aria-hidden="true"><path class="line l{line.style}" d="M1 6H35"/>'
        f"{mark(line.style, 18, 6)}</svg>{_escaped(line.name)}</li>"
        for line in lines
    )
    return f'<ul class="lines">{"".join(items)}</ul>'


def mark(style: int, x: float, y: float) -> str:
    """Returns the mark of a point: a circle, a square, a triangle or a diamond, by the style of its line."""
    shape = (
        "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z",
        "m-3-3h6v6h-6z",
        "m0-4l3.8 6.8h-7.6z",
        "m0-4.2l4.2 4.2l-4.2 4.2l-4.2-4.2z",
    )[style % 4]
    return f'<path class="mark l{style}" d="M{_number(x)} {_number(y)}{shape}"/>'


def _axes(across: Scale, up: Scale) -> str:
    """Draws the axes with a grid, the labels of its lines and the names of the axes."""
    left, right, parts = across.start, across.stop, []
    for value in up.ticks:
        at = _number(up(value))
        parts.append(f'<path class="grid" d="M{_number(left)} {at}H{right}"/>')
        parts.append(_text("tick", left - 7, up(value) + 4, up.axis.form(value), anchor="end"))
    for value in across.ticks:
        at = _number(across(value))
        parts.append(f'<path class="tick-mark" d="M{at} {_HEIGHT - _BOTTOM}v5"/>')
        parts.append(_text("tick", across(value), _HEIGHT - _BOTTOM + 19, across.axis.form(value), anchor="middle"))
    parts.append(f'<path class="axis" d="M{_number(left)} {_TOP}V{_HEIGHT - _BOTTOM}H{right}"/>')
    parts.append(_text("axis-name", (left + right) / 2, _HEIGHT - 6, across.axis.label, anchor="middle"))
    parts.append(_text("axis-name", 0, 14, up.axis.label))
    return "".join(parts)


def _apart(places: Sequence[float]) -> list[float]:
    """Moves the places of labels apart, so that none covers another."""
    order = sorted(range(len(places)), key=places.__getitem__)
    found = list(places)
    for before, label in pairwise(order):
        found[label] = max(found[label], found[before] + _LABEL_HEIGHT)
    below = _HEIGHT - _BOTTOM + _LABEL_HEIGHT / 2
    for label in reversed(order):
        found[label] = min(found[label], below)
        below = found[label] - _LABEL_HEIGHT
    return found


def _text(name: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{name}" x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}">{_escaped(text)}</text>'


def _drawing(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg class="chart{" narrow" if width == NARROW else ""}" viewBox="0 0 {width} {_number(height)}" role="img" aria-label="{_escaped(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def _number(value: float) -> str:
    """Returns a coordinate with one decimal."""
    return f"{value:.1f}".removesuffix(".0")
