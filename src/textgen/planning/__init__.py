"""Plans a run, and chooses its model for the time available, by arithmetic only."""

from textgen.planning.choice import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, DeviceKind, choose
from textgen.planning.plan import Plan

__all__ = ["CHOSEN_SETTINGS", "SHAPE_SETTINGS", "Choice", "DeviceKind", "Plan", "choose"]
