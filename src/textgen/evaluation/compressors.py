"""Compresses a text: what a general-purpose compressor needs for it, after it has seen the training text.

A compressor starts from nothing, while a model has been trained. So a text costs what it adds to the compressed training text:
C(training text + text) - C(training text).
"""

from __future__ import annotations

import importlib
import lzma
import zlib
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple, Protocol

_GZIP_WINDOW = 31
"""The largest window, 32 KB, with the header of gzip."""

_PPMD_ORDER = 6
"""The default of PPMd, and the order of the n-grams of characters."""

_PPMD_BYTES = 1 << 28
"""Memory for its contexts, so that it forgets nothing of a text of some megabytes. It is only used as it is needed."""


class _Stream(Protocol):
    """A compressor at work."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class Compressor(NamedTuple):
    """A compressor.

    Attributes:
        label: its name and level, as on a command line.
        start: starts to compress.
        package: the package that it needs; empty if Python contains it.
    """

    label: str
    start: Callable[[], _Stream]
    package: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether it can be used."""
        try:
            self.start()
        except ImportError:
            return False
        return True


def _start_zstd() -> _Stream:
    zstd: Any = importlib.import_module("backports.zstd")
    stream: _Stream = zstd.ZstdCompressor(level=19)
    return stream


class _Ppmd:
    def __init__(self) -> None:
        import pyppmd

        self._encoder = pyppmd.Ppmd7Encoder(_PPMD_ORDER, _PPMD_BYTES)

    def compress(self, data: bytes, /) -> bytes:
        found: bytes = self._encoder.encode(data)
        return found

    def flush(self) -> bytes:
        rest: bytes = self._encoder.flush()
        return rest


COMPRESSORS = {
    "gzip": Compressor("gzip -9", lambda: zlib.compressobj(9, wbits=_GZIP_WINDOW)),
    "xz": Compressor("xz -9", lambda: lzma.LZMACompressor(preset=9)),
    "zstd": Compressor("zstd -19", _start_zstd, "backports.zstd"),
    "ppmd": Compressor("PPMd", _Ppmd, "pyppmd"),
}
"""The compressors, each under its key in `--json`."""


def added_bits(compressor: Compressor, before: Callable[[], Iterable[str]], text: Callable[[], Iterable[str]]) -> int:
    """Returns the number of bits that a text adds to the compressed text before it.

    Args:
        compressor: the compressor.
        before: reads the text before it, in pieces.
        text: reads the text, in pieces.
    """
    return 8 * (_size(compressor, chain(before(), text())) - _size(compressor, before()))


def _size(compressor: Compressor, pieces: Iterable[str]) -> int:
    stream = compressor.start()
    return sum(len(stream.compress(piece.encode())) for piece in pieces) + len(stream.flush())
