"""Opens the copy index of a training text: from the cache, else newly built and kept there.

A file of the cache holds the index's keys, and behind them their sha256, so that a damaged one is noticed and replaced.
It is named after the hash of the very text that is searched, and so can be that of no other.
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
"""Stands in the file's name: whatever changes the keys of a text must raise it."""

_CHUNK_CHARACTERS = 1 << 14


def open_copy_index(section: Section, tokenizer: Tokenizer, directory: Path) -> CopyIndex:
    """Opens the index of a training text, which is read through once.

    Args:
        section: the training text.
        tokenizer: the model's; it says in which form texts are compared.
        directory: where the index is kept.

    Returns:
        The index. Its keys are mapped from the disk; those just made are in memory.

    Raises:
        TextgenError: when the text cannot be read, or the index not be read or kept.
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
    """The keys in a file; None when there is no such file, or one that is damaged."""
    if not path.exists() or path.stat().st_size != count * np.uint64().itemsize + hashlib.sha256().digest_size:
        return None
    content = np.asarray(np.memmap(path, np.uint64, "r"))
    keys: NDArray[np.uint64] = content[:count]
    return keys if _hash_keys(keys) == content[count:].tobytes() else None
