"""Opens the copy index of a training text, whose keys are kept in the cache.

The file is named after the hash of the text that is searched, so it cannot be that of another text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus.cached_array import cached_array
from textgen.corpus.copy_index import CopyIndex

if TYPE_CHECKING:
    from pathlib import Path

    from textgen.corpus.section import Section
    from textgen.corpus.tokenizers import Tokenizer

INDEX_VERSION = 1
"""A part of the file's name; increase it with every change to the keys of a text."""

_CHUNK_CHARACTERS = 1 << 14


def open_copy_index(section: Section, tokenizer: Tokenizer, directory: Path) -> CopyIndex:
    """Opens the index of a training text. This reads the text once.

    Args:
        section: the training text.
        tokenizer: the model's tokenizer, which gives the form in which texts are compared.
        directory: the directory of the cache.

    Returns:
        The index. Its keys are memory-mapped.

    Raises:
        TextgenError: if the text cannot be read, or the index cannot be read or written.
    """
    pieces = filter(None, map(tokenizer.plain, section.chunks(_CHUNK_CHARACTERS)))
    text = tokenizer.separator.join(pieces)
    path = directory / f"{_hash_text(text)[:32]}.copies{INDEX_VERSION}"
    return CopyIndex(text, cached_array(path, np.uint64, lambda: [CopyIndex.build(text).keys]))


def _hash_text(text: str) -> str:
    """Returns the hash of a text, which is encoded in pieces to save memory."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        digest.update(text[start : start + _CHUNK_CHARACTERS].encode())
    return digest.hexdigest()
