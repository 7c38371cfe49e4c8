"""Vocabulary -> TextVectorization -> ids on disk -> streams -> `tf.data` windows; knows nothing of models."""

from textgen.dataset.encoding import encode
from textgen.dataset.streams import Streams, ValidationWindow, validation_shape, validation_windows
from textgen.dataset.windows import training_windows

__all__ = ["Streams", "ValidationWindow", "encode", "training_windows", "validation_shape", "validation_windows"]
