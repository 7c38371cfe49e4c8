"""Turns a config or a model file into a functional Keras model."""

from textgen.model.language_model import MOST_STEPS_PER_CALL, LanguageModel, build_model, variables_of
from textgen.model.step_model import build_one_step
from textgen.model.tensorflow_ops import has_gpu, usable_cores

__all__ = [
    "MOST_STEPS_PER_CALL",
    "LanguageModel",
    "build_model",
    "build_one_step",
    "has_gpu",
    "usable_cores",
    "variables_of",
]
