"""Turns a text into token ids on disk, parallel streams and `tf.data` windows.

Importing this package does not load TensorFlow; `encode` and `training_windows` load it when they are called.
"""

from textgen.dataset.encoded_text import count_tokens, find_after_white_space
from textgen.dataset.encoding import encode, encoded_path
from textgen.dataset.streams import (
    VALIDATION_WINDOW,
    PartOfIds,
    Streams,
    validation_streams,
    validation_windows,
)
from textgen.dataset.windows import training_windows

__all__ = [
    "VALIDATION_WINDOW",
    "PartOfIds",
    "Streams",
    "count_tokens",
    "encode",
    "encoded_path",
    "find_after_white_space",
    "training_windows",
    "validation_streams",
    "validation_windows",
]
