"""Draws the figures of a report: each a chart with a caption that states what it shows, and a table of its numbers."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.console import HARMLESS, visible
from textgen.evaluation.baselines import Described
from textgen.evaluation.text_statistics import SENTENCE_BINS
from textgen.jobs import finite_number
from textgen.portable.report_page.charts import NARROW, Bar, Level, Line, draw_bars, draw_lines, legend
from textgen.portable.report_page.scales import Axis

if TYPE_CHECKING:
    from textgen.evaluation.model_measures import Bins
    from textgen.evaluation.text_statistics import TextStatistics
    from textgen.evaluation.written import WrittenText

_MOST_POINTS = 300
"""The most evaluations in a chart. Of more, evenly spread ones are shown."""
_MOST_ROWS = 25
"""The most rows in a table."""
_NEAR = 1.25
"""A baseline is drawn next to the losses if its bits per character are at most this many times those of the model."""
_AS_SURE = 0.02
"""A mean difference between confidence and accuracy below this is no fault."""
_REAL_NAME = "real text"
_REAL, _FIRST_WRITTEN = 3, 0
"""The looks of real text and of the first written one."""


def escaped(text: str) -> str:
    """Returns a text of any origin as HTML."""
    return html.escape(visible(text, HARMLESS))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table whose first column names the rows."""
    body = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>{"".join(f"<td>{escaped(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    names = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def figure(chart: str, caption: str, numbers: str, above: str = "") -> str:
    """Returns a figure; empty if there is no chart.

    Args:
        chart: its drawing.
        caption: what it shows, as text.
        numbers: the table of its numbers.
        above: what is above the drawing, such as a legend.
    """
    if not chart:
        return ""
    details = f'<details class="numbers"><summary>The numbers</summary><div class="wide" tabindex="0" role="group" aria-label="The numbers">{numbers}</div></details>'
    return f"<figure><figcaption>{escaped(caption)}</figcaption>{above}{chart}{details}</figure>"


def draw_loss(history: Sequence[Mapping[str, Any]], levels: Sequence[Level]) -> str:
    """Draws the training and the validation loss, in bits per character, and the baselines that are near them."""
    rows = [(steps, *_losses(values)) for values in history if (steps := finite_number(values, "steps")) is not None]
    train = [(steps, bits) for steps, bits, _ in rows if bits is not None]
    valid = [(steps, bits) for steps, _, bits in rows if bits is not None]
    if not valid:
        return ""
    lines = [Line("training", _thinned(train, _MOST_POINTS), 1), Line("validation", _thinned(valid, _MOST_POINTS), 0)]
    best_step, best = min(valid, key=lambda point: point[1])
    highest = max(bits for _, bits in (*train, *valid))
    near = [level for level in levels if level.value <= max(highest, _NEAR * best)]
    beaten = _joined([level.name for level in sorted(near, key=lambda level: level.value) if level.value > best])
    if len(valid) == 1:
        course = f"There was one evaluation, at step {best_step:,.0f}, with {best:.3f} bits per character"
    elif best_step == valid[-1][0]:
        course = f"The validation loss fell from {valid[0][1]:.3f} to {best:.3f} bits per character, and was lowest at the last evaluation"
    else:
        course = f"The validation loss was lowest at step {best_step:,.0f}, with {best:.3f} bits per character, and is {valid[-1][1]:.3f} at the end"
    dotted = "Dotted lines are simple methods"
    caption = (
        f"{course}.{f' {dotted}; the model is better than {beaten}.' if beaten else f' {dotted}.' if near else ''}"
    )
    numbers = table(
        ("step", "training", "validation"),
        ((f"{steps:,.0f}", *map(_bits, bits)) for steps, *bits in _thinned(rows, _MOST_ROWS)),
    )
    lines = [line for line in lines if line.points]
    chart = draw_lines(caption, lines, Axis("steps"), Axis("bits per character"), levels=near)
    return figure(chart, caption, numbers, legend(lines))


def _losses(values: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Returns the training and the validation loss of an evaluation, in bits per character.

    The training text is taken to have as many characters per token as the validation text, which is exact for characters.
    """
    train, loss, bits = (
        finite_number(values, name) for name in ("train_loss", "valid_loss", "valid_bits_per_character")
    )
    return None if train is None or bits is None or not loss else train * bits / loss, bits


def draw_history(history: Sequence[Mapping[str, Any]], name: str, label: str, style: int) -> str:
    """Draws a value of the evaluations over the steps; nothing if earlier versions of textgen did not record it."""
    pairs = [(finite_number(values, "steps"), finite_number(values, name)) for values in history]
    points = [(steps, value) for steps, value in pairs if steps is not None and value is not None]
    if not points:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    caption = f"The {label} was between {low:.3g} and {high:.3g}." if high > low else f"The {label} was {low:.3g}."
    chart = draw_lines(
        caption, [Line(label, _thinned(points, _MOST_POINTS), style)], Axis("steps"), Axis(label, least=0), width=NARROW
    )
    numbers = table(
        ("step", label), ((f"{steps:,.0f}", f"{value:.4g}") for steps, value in _thinned(points, _MOST_ROWS))
    )
    return figure(chart, caption, numbers)


def draw_comparison(bits: float, baselines: Mapping[str, float], descriptions: Mapping[str, Described]) -> str:
    """Draws the bits per character of the model and of the baselines."""
    ours = Described("this model", "")
    found = sorted([(bits, ours), *((value, descriptions[name]) for name, value in baselines.items())])
    bars = [Bar(each.label, value, f"{value:.3f}", each == ours) for value, each in found if math.isfinite(value)]
    place = [bar.stands_out for bar in bars].index(True) + 1
    caption = f"Bits per character of text that neither the model nor the simple methods have seen: the shorter the bar, the better. The model is number {place} of {len(bars)}."
    numbers = table(
        ("method", "bits per character", "what it knows"),
        ((each.label, f"{value:.3f}", each.remark) for value, each in found),
    )
    return figure(draw_bars(caption, bars), caption, numbers)


def draw_word_lengths(real: TextStatistics | None, written: Sequence[WrittenText]) -> str:
    """Draws how long words are, in written and in real text."""
    lines = _by_text(real, written, lambda statistics: list(enumerate(statistics.word_lengths.tolist(), start=1)))
    means = {line.name: sum(length * share for length, share in line.points) for line in lines}
    caption = f"Length of words, in characters. On average: {_listed(means, '{:.1f}')}."
    return _distribution(lines, caption, "characters in a word", "share of the words", [str(n + 1) for n in range(20)])


def draw_sentence_lengths(real: TextStatistics | None, written: Sequence[WrittenText]) -> str:
    """Draws how long sentences are, in written and in real text."""
    bins = [f"{first} to {after - 1}" for first, after in pairwise(SENTENCE_BINS)]
    lines = _by_text(
        real, written, lambda statistics: list(zip(SENTENCE_BINS, statistics.sentence_lengths.tolist(), strict=True))
    )
    short = {line.name: sum(share for first, share in line.points if first < SENTENCE_BINS[2]) for line in lines}
    caption = f"Length of sentences, in words. Sentences of up to 10 words: {_listed(short, '{:.0%}')}."
    return _distribution(
        lines, caption, "words in a sentence", "share of the sentences", [*bins, f"{SENTENCE_BINS[-1]} or more"]
    )


def draw_ranks(real: TextStatistics | None, written: Sequence[WrittenText]) -> str:
    """Draws the frequency of words by their rank (Zipf's law), in written and in real text."""
    lines = _by_text(real, written, lambda statistics: list(statistics.zipf))
    if not any(line.points for line in lines):
        return ""
    first = {line.name: line.points[0][1] for line in lines if line.points}
    caption = f"How frequent words are, by their rank; both axes are logarithmic. The most frequent word occurs, in 1,000 words: {_listed(first, '{:.0f} times')}."
    chart = draw_lines(
        caption, lines, Axis("rank of the word", is_log=True), Axis("per 1,000 words", is_log=True), width=NARROW
    )
    places = sorted({rank for line in lines for rank, _ in line.points})
    found = [dict(line.points) for line in lines]
    rows = (
        (f"{rank:,}", *(f"{each[rank]:.3g}" if rank in each else "-" for each in found))
        for rank in _thinned(places, _MOST_ROWS)
    )
    return figure(chart, caption, table(("rank", *(line.name for line in lines)), rows), legend(lines))


def draw_calibration(bins: Bins, error: float) -> str:
    """Draws how often the first guess is right, by its probability."""
    rows = [
        (confidence, accuracy, number)
        for confidence, accuracy, number in zip(
            bins.confidences.tolist(), bins.accuracies.tolist(), bins.counts.tolist(), strict=True
        )
        if number
    ]
    if not rows:
        return ""
    excess = float(np.average([row[0] - row[1] for row in rows], weights=[row[2] for row in rows]))
    if excess > _AS_SURE:
        judged = "The model is too sure of its guesses"
    elif excess < -_AS_SURE:
        judged = "The model is less sure of its guesses than it could be"
    else:
        judged = "The model is about as sure of its guesses as it can be"
    caption = f"{judged}: its confidence and its accuracy differ by {error:.1%} on average. On the dotted line, a guess with a probability of 70% is right in 70% of the places."
    lines = [
        Line("as sure as it can be", [(0, 0), (1, 1)], 2),
        Line("this model", [(confidence, accuracy) for confidence, accuracy, _ in rows], 0),
    ]
    whole: dict[str, Any] = {"least": 0, "most": 1, "form": "{:.0%}".format}
    chart = draw_lines(
        caption, lines, Axis("probability of the first guess", **whole), Axis("right", **whole), width=NARROW
    )
    numbers = table(
        ("mean probability", "right", "tokens"),
        ((f"{confidence:.1%}", f"{accuracy:.1%}", f"{number:,}") for confidence, accuracy, number in rows),
    )
    return figure(chart, caption, numbers, legend(lines))


def _by_text(
    real: TextStatistics | None,
    written: Sequence[WrittenText],
    points: Callable[[TextStatistics], Sequence[tuple[float, float]]],
) -> list[Line]:
    """Returns a line for each written text, and for the real text."""
    lines = [
        Line(f"temperature {text.temperature:g}", points(text.statistics), _FIRST_WRITTEN + number)
        for number, text in enumerate(written)
        if text.statistics.words
    ]
    return [*lines, Line(_REAL_NAME, points(real), _REAL)] if real is not None and real.words else lines


def _distribution(lines: Sequence[Line], caption: str, across: str, up: str, names: Sequence[str]) -> str:
    """Draws the shares of several texts."""
    chart = draw_lines(caption, lines, Axis(across), Axis(up, least=0, form="{:.0%}".format), width=NARROW)
    shares = zip(*([share for _, share in line.points] for line in lines), strict=True)
    rows = ((name, *(f"{share:.1%}" for share in row)) for name, row in zip(names, shares, strict=False))
    return figure(chart, caption, table((across, *(line.name for line in lines)), rows), legend(lines))


def _listed(values: Mapping[str, float], form: str) -> str:
    return ", ".join(
        f"{form.format(value)} {f'in {name}' if name == _REAL_NAME else f'at {name}'}" for name, value in values.items()
    )


def _joined(names: Sequence[str]) -> str:
    """Returns names as a list in words."""
    *others, last = names or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _bits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _thinned(items: Sequence[Any], most: int) -> list[Any]:
    """Returns evenly spread items, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]
