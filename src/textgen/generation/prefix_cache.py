"""Keeps the states behind texts that a model has read, so that a text that starts like one of them is not read again."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array

    from textgen.generation.layers import Floats

_OVERHEAD = 300
"""About the bytes of an entry besides its ids and its state."""


class PrefixCache:
    """The states behind texts, up to a number of bytes; the least recently used are dropped. Threads may share it.

    A search compares the start of the text with each entry, which takes about a tenth of a microsecond per entry, unless the
    text itself is an entry.

    Args:
        most_bytes: the most memory that the entries may take. A text that would take more than an eighth of it is not kept.

    Example:
        >>> cache = PrefixCache(1 << 20)
        >>> cache.add(array("i", [5, 6]), state)
        >>> cache.find(array("i", [5, 6, 7]))[0]
        2
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._states: dict[bytes, Floats] = {}  # the least recently used first
        self._lock = Lock()

    def add(self, ids: array[int], state: Floats) -> None:
        """Keeps the state behind a text.

        Args:
            ids: the token ids of the text.
            state: the state, which must not be modified later.
        """
        if _size(len(ids) * ids.itemsize, state) * 8 > self._most_bytes:
            return
        key = ids.tobytes()
        with self._lock:
            self._remove(key)
            self._states[key] = state
            self._bytes += _size(len(key), state)
            while self._bytes > self._most_bytes:
                self._remove(next(iter(self._states)))

    def find(self, ids: array[int]) -> tuple[int, Floats | None]:
        """Finds the longest text with which another one starts.

        Args:
            ids: the token ids of the other text.

        Returns:
            The number of tokens, and the state behind them, which must not be modified; 0 and None if there is none.
        """
        text = ids.tobytes()
        with self._lock:
            key = text if text in self._states else max(filter(text.startswith, self._states), key=len, default=b"")
            state = self._states.pop(key, None)
            if state is not None:
                self._states[key] = state
        return len(key) // ids.itemsize, state

    def _remove(self, key: bytes) -> None:
        state = self._states.pop(key, None)
        if state is not None:
            self._bytes -= _size(len(key), state)


def _size(key_bytes: int, state: Floats) -> int:
    return key_bytes + state.nbytes + _OVERHEAD
