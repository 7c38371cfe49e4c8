"""Turns a text into token ids on disk, parallel streams and `tf.data` windows."""

from textgen.dataset.counts import count_tokens
from textgen.dataset.encoding import encode
from textgen.dataset.streams import (
    VALIDATION_WINDOW,
    Streams,
    ValidationWindow,
    validation_streams,
    validation_windows,
)
from textgen.dataset.white_space import find_after_white_space
from textgen.dataset.windows import training_windows

__all__ = [
    "VALIDATION_WINDOW",
    "Streams",
    "ValidationWindow",
    "count_tokens",
    "encode",
    "find_after_white_space",
    "training_windows",
    "validation_streams",
    "validation_windows",
]
