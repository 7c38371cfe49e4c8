"""Plans a run, by arithmetic only.

- `model_shape`: the tensors and states of a network
- `cells`: the cells of its layers
- `one_step`: its equations, for exports
- `plan`: the size and the limits of a run
- `devices`: how devices share the batch
- `cores`: how the cores of a CPU share it, and what more of them gain
- `text_length`: the tokens that a run needs at least
- `choice`: the model for the time available, how to train it, and whether to start from the base model
- `estimates`: the speed of training, the passes over the text, and the dropout for them
"""

from textgen.planning.choice import (
    CHOSEN_SETTINGS,
    LIMITS_BY_PASSES,
    Choice,
    base_pays,
    can_choose,
    choose,
)
from textgen.planning.cores import MEASURED_CORES, parts_of_batch
from textgen.planning.devices import Devices, check_sharing, most_sharing
from textgen.planning.estimates import (
    DeviceKind,
    dropout,
    epochs_between_evaluations,
    expected_passes,
    tokens_in,
    tokens_per_second,
    worthwhile_passes,
)
from textgen.planning.model_shape import SHAPE_SETTINGS, ModelShape, shape_values
from textgen.planning.plan import Plan
from textgen.planning.text_length import LEAST_EVALUATED, check_evaluation_length, check_training_length

__all__ = [
    "CHOSEN_SETTINGS",
    "LEAST_EVALUATED",
    "LIMITS_BY_PASSES",
    "MEASURED_CORES",
    "SHAPE_SETTINGS",
    "Choice",
    "DeviceKind",
    "Devices",
    "ModelShape",
    "Plan",
    "base_pays",
    "can_choose",
    "check_evaluation_length",
    "check_sharing",
    "check_training_length",
    "choose",
    "dropout",
    "epochs_between_evaluations",
    "expected_passes",
    "most_sharing",
    "parts_of_batch",
    "shape_values",
    "tokens_in",
    "tokens_per_second",
    "worthwhile_passes",
]
