"""Turns a section of text into an array of token ids on disk, through Keras' TextVectorization inside tf.data.

The text passes through in chunks, so that memory stays bounded however long it is. The array is a cache: it can be made
again from the text at any time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textgen.corpus import FIRST_TOKEN_ID, Section, Vocabulary
from textgen.errors import TextgenError, from_os_error
from textgen.storage import open_atomic
from textgen.version import __version__

CHUNK_CHARACTERS = 1 << 16
"""Long enough that the call of the layer costs nothing beside its work, short enough to work in parallel."""

_SEPARATOR = "\0"
"""Parts the tokens handed to the layer; no text holds one, since reading refuses it."""


def encode(section: Section, vocabulary: Vocabulary, text_sha256: str, directory: Path) -> np.ndarray:
    """The ids of a section's tokens, from the cache or newly made.

    Args:
        section: the text.
        vocabulary: the tokens and how text is split into them.
        text_sha256: identifies the text that the section is part of.
        directory: where the array is kept.

    Returns:
        `(tokens,)`, an unsigned integer type that holds the vocabulary, mapped from disk.

    Raises:
        TextgenError: when the text cannot be read, or the array not be written or opened.
    """
    dtype = np.min_scalar_type(vocabulary.size - 1)
    identity = f"{__version__} {text_sha256} {section.start} {section.stop} {vocabulary.sha256}"
    path = directory / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.{dtype.name}"
    try:
        if not path.exists():
            _write(path, section, vocabulary, dtype)
        return np.memmap(path, dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)
    except OSError as error:
        raise from_os_error(error, f"cannot read the encoded text {path}") from error


def vectorization(vocabulary: Vocabulary) -> keras.layers.TextVectorization:
    """The layer that looks tokens up.

    It is handed tokens that Python's tokenizer has parted, joined by NUL: TensorFlow's own regular expressions split
    Unicode text differently, and sampling needs the same tokens without TensorFlow. Its ids are the vocabulary's.

    Args:
        vocabulary: padding and `[UNK]`, which the layer adds itself, and then the tokens in id order.
    """
    return keras.layers.TextVectorization(
        standardize=None, split=_split, output_mode="int", vocabulary=list(vocabulary.tokens[FIRST_TOKEN_ID:])
    )


def _split(joined: Any) -> Any:
    return tf.strings.split(joined, sep=_SEPARATOR)


def _write(path: Path, section: Section, vocabulary: Vocabulary, dtype: np.dtype) -> None:
    """Writes the ids."""
    layer = vectorization(vocabulary)
    split = vocabulary.tokenizer.split
    failures: list[TextgenError] = []
    joined = (_SEPARATOR.join(tokens) for tokens in map(split, section.chunks(CHUNK_CHARACTERS)) if tokens)

    def read(_: int) -> bytes:
        try:
            return next(joined, "").encode()
        except TextgenError as error:  # tf.data would raise an error of its own in its place
            failures.append(error)
            return b""

    def load(number: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(read, [number], tf.string), ())

    # Not from_generator, which makes the C library give all memory back (decision 14).
    texts = tf.data.Dataset.counter().map(load).take_while(lambda text: tf.strings.length(text) > 0)
    encoded = texts.map(layer, num_parallel_calls=2, deterministic=True).prefetch(2).with_options(data_options())
    with open_atomic(path) as file:
        for ids in encoded.as_numpy_iterator():
            file.write(ids.astype(dtype).tobytes())
        if failures:
            raise failures[0]


def data_options() -> tf.data.Options:
    """Options for every pipeline: autotuning off, since ending an autotuned iterator can stall as long as it ran."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
