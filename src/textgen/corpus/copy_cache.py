"""Opens the copy index of a training text from the cache, or builds and caches it.

A cached file contains the keys of the index, followed by their sha256, so that a damaged file is detected and replaced. The file is
named after the hash of the text, so it cannot belong to another text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus.copy_index import CopyIndex, count_keys
from textgen.errors import from_os_error
from textgen.storage import open_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

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
        The index. Its keys are memory-mapped, or in memory if they were just made.

    Raises:
        TextgenError: if the text cannot be read, or the index cannot be read or written.
    """
    pieces = filter(None, map(tokenizer.plain, section.chunks(_CHUNK_CHARACTERS)))
    text = tokenizer.separator.join(pieces)
    path = directory / f"{_hash_text(text)[:32]}.copies{INDEX_VERSION}"
    try:
        keys = _read_keys(path, count_keys(text))
        if keys is not None:
            return CopyIndex(text, keys)
    except OSError as error:
        raise from_os_error(error, f"cannot read the copy index {path}") from error
    index = CopyIndex.build(text)
    with open_atomic(path) as file:
        file.write(index.keys.data)
        file.write(_hash_keys(index.keys))
    return index


def _hash_text(text: str) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        digest.update(text[start : start + _CHUNK_CHARACTERS].encode())
    return digest.hexdigest()


def _hash_keys(keys: NDArray[np.uint64]) -> bytes:
    return hashlib.sha256(keys.data).digest()


def _read_keys(path: Path, count: int) -> NDArray[np.uint64] | None:
    """Returns the keys in a file; None if the file does not exist or is damaged."""
    if not path.exists() or path.stat().st_size != count * np.uint64().itemsize + hashlib.sha256().digest_size:
        return None
    content = np.asarray(np.memmap(path, np.uint64, "r"))
    keys: NDArray[np.uint64] = content[:count]
    return keys if _hash_keys(keys) == content[count:].tobytes() else None
