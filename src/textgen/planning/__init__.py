"""Plans a run, by arithmetic only.

- `model_shape`: the tensors and states of a network
- `cells`: the cells of its layers
- `one_step`: its equations, for exports
- `plan`: the size and the limits of a run
- `choice`: the model for the time available, and how to train it
- `passes`: the passes over the text
- `regularisation`: the dropout for these passes
- `starting`: whether to start from the base model
- `speed`: the estimated speed of training
- `interpolation`: values between measured ones
"""

from textgen.planning.choice import CHOSEN_SETTINGS, LIMITS_BY_PASSES, Choice, can_choose, choose
from textgen.planning.model_shape import SHAPE_SETTINGS, ModelShape
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
    "ModelShape",
    "Plan",
    "base_pays",
    "can_choose",
    "choose",
    "dropout",
    "epochs_between_evaluations",
    "expected_passes",
    "tokens_in",
]
