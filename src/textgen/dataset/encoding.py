"""Turns a section of text into an array of token ids on disk, through Keras' TextVectorization inside tf.data.

The text is encoded in chunks, so that memory stays bounded. The array is a cache, which can be made again from the text at any
time. Its name is a hash of the text and of the vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID, Section, Vocabulary
from textgen.corpus.cached_array import StoredArray, stored_array
from textgen.errors import DataError, TextgenError
from textgen.version import __version__

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

CHUNK_CHARACTERS = 1 << 16
"""Long enough that calling the layer costs little, short enough to work in parallel."""

_SEPARATOR = "\0"
"""Separates the tokens given to the layer; no text contains it, since reading refuses it."""


def encode(section: Section, vocabulary: Vocabulary, directory: Path) -> StoredArray:
    """Returns the ids of a section's tokens, from the cache if they are there.

    Args:
        section: the text.
        vocabulary: the tokens and their tokenizer.
        directory: the directory of the cache.

    Returns:
        `(tokens,)`, in a file, of the smallest unsigned integer type for the vocabulary.

    Raises:
        DataError: if the text has no tokens, or has changed since it was hashed.
        TextgenError: if the text cannot be read, or the array cannot be written or opened.
    """
    path, dtype = encoded_path(section, vocabulary, directory)
    return stored_array(path, dtype, lambda: _encoded(section, vocabulary))


def encoded_path(section: Section, vocabulary: Vocabulary, directory: Path) -> tuple[Path, np.dtype]:
    """Returns the path at which `encode` keeps the ids, and their type."""
    dtype = np.min_scalar_type(vocabulary.size - 1)
    identity = f"{__version__} {section.sha256} {vocabulary.sha256}"
    return directory / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.{dtype.name}", dtype


def vectorization(vocabulary: Vocabulary) -> keras.layers.TextVectorization:
    """Makes the layer that looks tokens up; its ids are those of the vocabulary.

    Its input is the tokens, already split in Python and joined by NUL. TensorFlow's own regular expressions split Unicode
    text differently, and sampling needs the same tokens without TensorFlow.

    Args:
        vocabulary: the tokens; the layer adds padding and `[UNK]` itself.
    """
    import keras
    import tensorflow as tf

    def split(joined: Any) -> Any:
        return tf.strings.split(joined, sep=_SEPARATOR)

    return keras.layers.TextVectorization(
        standardize=None, split=split, output_mode="int", vocabulary=list(vocabulary.tokens[FIRST_TOKEN_ID:])
    )


def _encoded(section: Section, vocabulary: Vocabulary) -> Iterator[np.ndarray]:
    """Yields the ids of a text, chunk by chunk; raises the errors of `encode` after the last one."""
    import tensorflow as tf

    layer = vectorization(vocabulary)
    split = vocabulary.tokenizer.split
    failures: list[TextgenError] = []
    joined = (_SEPARATOR.join(tokens) for tokens in map(split, section.chunks(CHUNK_CHARACTERS)) if tokens)

    def read(_: int) -> bytes:
        try:
            return next(joined, "").encode()
        except TextgenError as error:  # tf.data would replace it with an error of its own
            failures.append(error)
            return b""

    def load(number: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(read, [number], tf.string), ())

    # Not from_generator, which makes the C library return all freed memory to the system (decision 14).
    texts = tf.data.Dataset.counter().map(load).take_while(lambda text: tf.strings.length(text) > 0)
    encoded = texts.map(layer, num_parallel_calls=2, deterministic=True).prefetch(2).with_options(data_options())
    is_empty = True
    for ids in encoded.as_numpy_iterator():
        is_empty = False
        yield ids
    if failures:
        raise failures[0]
    if is_empty:
        raise DataError(f"a text of {section.paths[0]} has no tokens; give more text")


def data_options() -> tf.data.Options:
    """Returns the options of every pipeline: no autotuning, because closing an autotuned iterator can take as long as it ran."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return options
