import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.portable.test_page import Elements
from textgen.portable.report_page.charts import Bar, Level, Line, draw_bars, draw_lines, legend
from textgen.portable.report_page.scales import Axis, Scale, round_ticks

X, Y = Axis("steps"), Axis("bits")
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
POINT = re.compile(r"(-?[\d.]+) (-?[\d.]+)")


def elements(drawing, name):
    """Returns the elements of a class."""
    return [fields for _, fields, _ in Elements(drawing).found if name in (fields.get("class") or "").split()]


def path_of(drawing, style=0):
    [line] = [fields for fields in elements(drawing, f"l{style}") if fields["class"].startswith("line")]
    return [(float(x), float(y)) for x, y in POINT.findall(line["d"])]


def test_a_line_goes_through_its_points():
    """A falling line starts at the top left and ends at the bottom right, and its middle is in the middle."""
    (x1, y1), (x2, y2), (x3, y3) = path_of(draw_lines("t", [Line("a", [(0, 2.0), (50, 1.0), (100, 0.0)], 0)], X, Y))
    assert x1 < x2 < x3
    assert y1 < y2 < y3
    assert (x1 + x3, y1 + y3) == pytest.approx((2 * x2, 2 * y2), abs=0.2)


def test_a_logarithmic_axis_shows_factors_as_distances():
    """From 1 to 10 is as far as from 10 to 100; a zero cannot be shown."""
    log = Axis("rank", is_log=True)
    points = path_of(draw_lines("t", [Line("a", [(0, 1.0), (1, 1.0), (10, 2.0), (100, 4.0)], 0)], log, log))
    [(x1, y1), (x2, y2), (x3, y3)] = points
    assert (x3 - x2, y3 - y2) == pytest.approx((x2 - x1, y2 - y1), abs=0.2)


@given(points=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5), level=NUMBERS, is_log=st.booleans())
def test_any_numbers_can_be_drawn(points, level, is_log):
    """Whatever a damaged file contains, every coordinate is a number inside the drawing; without a point, nothing is drawn."""
    axes = Axis("x", is_log=is_log), Axis("y", is_log=is_log)
    drawing = draw_lines("t", [Line("a", points, 0), Line("b", [], 1)], *axes, levels=[Level("l", level)])
    if not any(axes[0].shows(x) and axes[1].shows(y) for x, y in points):
        assert drawing == ""
        return
    assert "nan" not in drawing
    assert "inf" not in drawing
    for x, y in path_of(drawing):
        assert 0 <= x <= 560
        assert 0 <= y <= 300


@given(low=st.floats(-1000, 1000), width=st.floats(1e-3, 1e9))
def test_ticks_are_round_and_few(low, width):
    """There are two to seven ticks between two values, at equal distances of 1, 2 or 5 times a power of 10."""
    ticks = round_ticks(low, low + width)
    assert 2 <= len(ticks) <= 7
    step = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
    leading = step / 10 ** math.floor(math.log10(step * (1 + 1e-6)))
    assert min(abs(leading - round_step) for round_step in (1, 2, 5)) < 1e-3
    assert all(after - before == pytest.approx(step, rel=1e-3) for before, after in pairwise(ticks))


def test_the_vertical_axis_ends_at_ticks():
    """The scale grows to the next ticks, so that no line is on the edge of the chart."""
    scale = Scale.of(Axis("y"), [1.87, 4.12], 0, 100).rounded
    assert (scale.low, scale.high) == (1.5, 4.5)
    assert scale.ticks == [1.5, 2, 2.5, 3, 3.5, 4, 4.5]


def test_labels_of_levels_do_not_cover_each_other():
    """Levels that are close together have labels that are not, inside the drawing."""
    levels = [Level(name, 1 + number / 1000) for number, name in enumerate("abcde")]
    labels = elements(draw_lines("t", [Line("a", [(0, 1.0), (1, 9.0)], 0)], X, Y, levels=levels), "level-label")
    places = sorted(float(label["y"]) for label in labels)
    assert all(after - before >= 17.9 for before, after in pairwise(places))
    assert places[-1] < 300


def test_lines_differ_without_colours():
    """The mark of each line has another shape, so a black and white print can be read."""
    shapes = {
        re.sub(r"^M\S+ [\d.]+", "", elements(legend([Line("a", [], style)]), "mark")[0]["d"]) for style in range(4)
    }
    assert len(shapes) == 4


def test_bars_are_as_long_as_their_values():
    """The length of a bar is proportional to its value, and one of them stands out."""
    bars = elements(draw_bars("t", [Bar("a", 1.0, "1"), Bar("b", 4.0, "4", stands_out=True)]), "bar")
    assert 4 * float(bars[0]["width"]) == pytest.approx(float(bars[1]["width"]), rel=0.01)
    assert [fields["class"] for fields in bars] == ["bar", "bar ours"]
    assert draw_bars("t", []) == ""


def test_names_are_escaped():
    """A name cannot add elements to the page, and no control character reaches it."""
    hostile = '"><script>\x1b\u202e'
    for drawing in (
        draw_lines(hostile, [Line(hostile, [(0, 1.0)], 0)], Axis(hostile), Axis(hostile), levels=[Level(hostile, 1.0)]),
        draw_bars(hostile, [Bar(hostile, 1.0, hostile)]),
        legend([Line(hostile, [], 0)]),
    ):
        assert "<script" not in drawing
        assert set(drawing).isdisjoint("\x1b\u202e")
