"""Plans a run, and chooses its model for the time available, by arithmetic only."""

from textgen.planning.choice import CHOSEN_SETTINGS, LIMITS_BY_PASSES, SHAPE_SETTINGS, Choice, can_choose, choose
from textgen.planning.passes import epochs_between_evaluations, expected_passes, tokens_in
from textgen.planning.plan import Plan
from textgen.planning.regularisation import dropout
from textgen.planning.speed import DeviceKind
from textgen.planning.starting import base_pays

__all__ = [
    "CHOSEN_SETTINGS",
    "LIMITS_BY_PASSES",
    "SHAPE_SETTINGS",
    "Choice",
    "DeviceKind",
    "Plan",
    "base_pays",
    "can_choose",
    "choose",
    "dropout",
    "epochs_between_evaluations",
    "expected_passes",
    "tokens_in",
]
