"""Plans a run, and chooses its model for the time available, by arithmetic only."""

from textgen.planning.choice import CHOSEN_SETTINGS, SHAPE_SETTINGS, Choice, DeviceKind, can_choose, choose
from textgen.planning.plan import Plan
from textgen.planning.starting import base_pays

__all__ = ["CHOSEN_SETTINGS", "SHAPE_SETTINGS", "Choice", "DeviceKind", "Plan", "base_pays", "can_choose", "choose"]
