"""Interpolates between measured values."""

from __future__ import annotations

import math
from collections.abc import Sequence


def interpolated(points: Sequence[tuple[float, float]], value: float) -> float:
    """Returns the y of a value between points `(x, y)`, linear in the logarithm of x, and constant beyond the first and the last."""
    (before, low), *rest = points
    if value <= before:
        return low
    for after, high in rest:
        if value <= after:
            return low + (high - low) * math.log(value / before) / math.log(after / before)
        before, low = after, high
    return low
