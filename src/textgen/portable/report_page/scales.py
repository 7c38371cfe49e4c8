"""Turns values into coordinates on the axes of a chart, and chooses round values to label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MOST_STEPS = 6
"""The most steps from label to label on an axis that is not logarithmic."""
_ROUNDING = 1e-9
"""A relative difference that may come from rounding."""
_LEAST, _MOST = 1e-12, 1e15
"""Smaller and larger numbers are no measured values of a model, and would not fit on an axis."""


def _short(value: float) -> str:
    return f"{value:,.6g}" if _MOST > abs(value) >= 0.001 or not value else f"{value:.0e}".replace("e-0", "e-")  # noqa: PLR2004


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        label: what it shows, with its unit.
        is_log: whether it is logarithmic; values that are not positive are then left out.
        least: the smallest value that it shows in any case.
        most: the largest one.
        form: formats a value for people.
    """

    label: str
    is_log: bool = False
    least: float = math.inf
    most: float = -math.inf
    form: Callable[[float], str] = _short

    def shows(self, value: float) -> bool:
        """Whether a value can be on the axis."""
        return abs(value) < _MOST and (value > _LEAST if self.is_log else math.isfinite(value))


@dataclass(frozen=True)
class Scale:
    """Turns the values of an axis into coordinates.

    Attributes:
        axis: the axis.
        low: the value at its start, or the logarithm of it.
        high: the value at its end, likewise.
        start: the coordinate of its start.
        stop: the coordinate of its end.
    """

    axis: Axis
    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def of(cls, axis: Axis, values: Sequence[float], start: float, stop: float) -> Scale:
        """Makes a scale that shows all values, from one coordinate to another."""
        low, high = min(axis.least, *values), max(axis.most, *values)
        if axis.is_log:
            return cls(axis, math.log10(low), math.log10(high), start, stop)
        largest = max(abs(low), abs(high))
        if high - low <= max(_ROUNDING * largest, _LEAST):
            margin = largest / 10 if largest > _LEAST else 1
            low, high = low - margin, high + margin
        return cls(axis, low, high, start, stop)

    def __call__(self, value: float) -> float:
        """Returns the coordinate of a value."""
        value = math.log10(value) if self.axis.is_log else value
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)

    @property
    def rounded(self) -> Scale:
        """The scale with a tick at both ends, if it is not logarithmic."""
        if self.axis.is_log:
            return self
        step = _step(self.low, self.high)
        low, high = math.floor(self.low / step + _ROUNDING) * step, math.ceil(self.high / step - _ROUNDING) * step
        return Scale(self.axis, low, high, self.start, self.stop)

    @property
    def ticks(self) -> list[float]:
        """The round values to label."""
        return _log_ticks(self.low, self.high) if self.axis.is_log else round_ticks(self.low, self.high)


def round_ticks(low: float, high: float) -> list[float]:
    """Returns the multiples of a round step from one value to a larger one."""
    step = _step(low, high)
    first, last = math.ceil(low / step - _ROUNDING), math.floor(high / step + _ROUNDING)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _step(low: float, high: float) -> float:
    """Returns the distance of the ticks between two values: 1, 2 or 5 times a power of 10."""
    least = (high - low) / _MOST_STEPS
    power = 10.0 ** math.floor(math.log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least)


def _log_ticks(low: float, high: float) -> list[float]:
    """Returns powers of 10 between two powers, or 1, 2 and 5 times these if there are few, or else the ends."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    factors = (1,) if high - low > 3 else (1, 2, 5)  # noqa: PLR2004
    found = [factor * 10.0**decade for decade in decades for factor in factors]
    shown = [value for value in found if low - _ROUNDING <= math.log10(value) <= high + _ROUNDING]
    return shown if len(shown) > 1 else [10.0**value for value in sorted({low, high})]
