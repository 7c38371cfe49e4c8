"""The plan of a run, and the choice of its settings by the time there is; arithmetic only."""

from textgen.planning.choice import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, DeviceKind, choose
from textgen.planning.plan import Plan

__all__ = ["CHOSEN_SETTINGS", "SHAPE_SETTINGS", "Choice", "DeviceKind", "Plan", "choose"]
