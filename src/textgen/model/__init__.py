"""Turns a config or a model file into a functional Keras model."""

from textgen.model.language_model import MOST_STEPS_PER_CALL, LanguageModel, build_model, can_train, variables_of
from textgen.model.step_model import build_one_step
from textgen.model.tensorflow_ops import has_gpu, usable_cores

__all__ = [
    "MOST_STEPS_PER_CALL",
    "LanguageModel",
    "build_model",
    "build_one_step",
    "can_train",
    "has_gpu",
    "usable_cores",
    "variables_of",
]
