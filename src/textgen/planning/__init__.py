"""The plan of a run, and the choice of its model by the time available; arithmetic only."""

from textgen.planning.choice import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, DeviceKind, choose
from textgen.planning.plan import Plan

__all__ = ["CHOSEN_SETTINGS", "SHAPE_SETTINGS", "Choice", "DeviceKind", "Plan", "choose"]
