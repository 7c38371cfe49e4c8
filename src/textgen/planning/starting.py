"""Decides whether starting from the base model pays, by a few measured numbers; never by a timing."""

from __future__ import annotations

from textgen.planning.speed import DeviceKind

_MOST_CHARACTERS: dict[DeviceKind, tuple[tuple[float, float], ...]] = {
    "cpu": ((30, float("inf")), (float("inf"), 2_000_000)),
    "gpu": ((float("inf"), 2_000_000),),
}
"""Pairs of a time in minutes, and the length of the longest training text for which starting from the base model pays in less time.
Measured for up to a million characters and five minutes (docs/experiments.md)."""


def base_pays(minutes: float, characters: int, device: DeviceKind) -> bool:
    """Returns whether a character model of a text that the base model suits gets better if it starts from the base.

    From a long text in a long time, a new model of the chosen shape learns more than the base model knows.

    Args:
        minutes: the training time.
        characters: the length of the training text.
        device: the kind of device that trains.
    """
    return characters <= next(most for below, most in _MOST_CHARACTERS[device] if minutes < below)
