r"""Decodes a file as text, in pieces.

The text has no byte order mark, no NUL and no lone surrogate, and its line ends are `\n`.
"""

from __future__ import annotations

import codecs
import collections
import contextlib
import difflib
import encodings.aliases
import gzip
import re
import zlib
from typing import TYPE_CHECKING

from textgen.corpus.foreign_files import describe_foreign
from textgen.errors import DataError, UsageError, from_os_error, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTO = "auto"
"""The value of `encoding` that lets `detect_encoding` decide for each file."""

FALLBACK = "cp1252"
"""The encoding of a file that is not UTF-8, if `detect_encoding` decides."""

_GZIP_MAGIC = b"\x1f\x8b"

# UTF-32 comes first, because its little-endian mark begins with that of UTF-16.
_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LONGEST_MARK = 4  # bytes
_FIRST_BYTES = 1 << 13

# The encoding to suggest if another fails. utf-16 fails without a byte order mark, utf-16-le does not.
_NEXT_GUESS = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UTF_8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")

_LEAST_SHARE_OF_NUL = 1 / 32
"""The minimum share of NUL in UTF-16. In Latin script, one byte of nearly every pair is NUL; in other scripts,
at least that of spaces."""


def read_chunks(path: Path, encoding: str = "utf-8", characters: int = 1 << 20) -> Iterator[str]:
    """Reads a text file in pieces, and unpacks a gzip file.

    Args:
        path: the file; gzip is recognised by the name `*.gz` or by its first bytes.
        encoding: any text encoding that Python knows, or `auto`, which reads the file twice.
        characters: the approximate maximum length of a piece.

    Yields:
        Pieces of the text, none of them empty. A byte order mark is dropped, CRLF becomes LF, and a lone CR stays.

    Raises:
        UsageError: if there is no such encoding.
        DataError: if the file is not text in this encoding, or not complete.
        MissingError: if the file does not exist.
        AccessError: if the file may not be read.
        InputOutputError: if the disk fails.
    """
    decided, reason = detect_encoding(path) if encoding == AUTO else (encoding, "")
    held = ""
    try:
        for piece, is_last in _decode_file(path, decided, characters):
            text, held = held + piece, ""
            if not is_last and text.endswith("\r"):  # the next piece may begin with its LF
                text, held = text[:-1], "\r"
            if text:
                yield text.replace("\r\n", "\n")
    except _FaultError as fault:
        raise _describe_fault(path, decided, reason, fault) from fault


def detect_encoding(path: Path) -> tuple[str, str]:
    """Detects the encoding of a file from its content alone, so that the same bytes always give the same result.

    A byte order mark decides. Without one, valid UTF-8 is UTF-8, and everything else is cp1252, the usual encoding of older Western
    texts on Windows. UTF-8 with some damage is refused.

    Args:
        path: the file.

    Returns:
        The encoding, and the reason why it is not UTF-8, on one line; empty if it is.

    Raises:
        DataError: if the file is a document or an image, damaged or not complete.
        MissingError: if the file does not exist.
        AccessError: if the file may not be read.
        InputOutputError: if the disk fails.
    """
    if wide := _wide_mark(next(_read_blocks(path, _LONGEST_MARK))):
        return wide, "it begins with that byte order mark"
    try:
        collections.deque(_decode_file(path, "utf-8", 1 << 20), maxlen=0)
    except _FaultError as fault:
        place = f"byte {fault.byte} (line {fault.line})"
        if not fault.is_nul and _is_mostly_utf_8(path):
            raise DataError(
                f"{path} is UTF-8 except at {place} and perhaps after it: repair the file, or save it as UTF-8 again"
            ) from fault
        if not fault.is_nul:
            return FALLBACK, f"not UTF-8 at {place}"
    return "utf-8", ""


def _is_mostly_utf_8(path: Path) -> bool:
    """Returns whether most bytes beyond ASCII form UTF-8 characters, which hardly ever happens in cp1252."""
    inside, beyond = 0, 0
    for block in _read_blocks(path, 1 << 20):
        inside += sum(map(len, _UTF_8_CHARACTER.findall(block)))
        beyond += len(_BEYOND_ASCII.findall(block))
    return 2 * inside > beyond


def _make_decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        " ".encode(encoding)  # refuses a codec that is not a text encoding, such as base64
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError) as error:
        name = _nearest_encoding(encoding)
        advice = f"did you mean {name}?" if name else "name one such as utf-8 or cp1252, or try auto"
        raise UsageError(
            f"{named('encoding')} must be a text encoding that Python knows, or auto, got {encoding!r}: {advice}"
        ) from error


def _nearest_encoding(name: str) -> str | None:
    """Returns the text encoding whose name is closest to a mistyped one; None if none is close."""
    known = sorted({*encodings.aliases.aliases, *encodings.aliases.aliases.values()})
    for close in difflib.get_close_matches(name.lower(), known, n=5, cutoff=0.8):
        with contextlib.suppress(LookupError):  # a codec that is not a text encoding, or not on this system
            " ".encode(close)
            return close
    return None


def _read_blocks(path: Path, size: int) -> Iterator[bytes]:
    """Yields the unpacked bytes of a file, then an empty block. The first block contains the whole byte order mark, if any."""
    try:
        with path.open("rb") as file:
            packed = path.suffix == ".gz" or file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            with gzip.GzipFile(fileobj=file) if packed else file as stream:
                if foreign := describe_foreign(stream.peek(_FIRST_BYTES)):
                    raise DataError(f"{path} is {foreign}")
                block = stream.read(max(size, _LONGEST_MARK))
                while block:
                    yield block
                    block = stream.read(size)
        yield b""
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}): fetch it again or unpack it") from error
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error


def _wide_mark(start: bytes) -> str | None:
    """Returns the encoding whose byte order mark a file begins with, or None."""
    return next((name for mark, name in _WIDE_MARKS.items() if start.startswith(mark)), None)


class _FaultError(UnicodeError):
    """A place where a file is not text in some encoding.

    Attributes:
        byte: the offset in the unpacked file.
        line: the line, from 1.
        is_nul: whether the fault is a NUL, as in binary data, and not an invalid byte.
        block: the bytes around it.
    """

    def __init__(self, byte: int, line: int, block: bytes, *, is_nul: bool) -> None:
        super().__init__()
        self.byte = byte
        self.line = line
        self.block = block
        self.is_nul = is_nul


class _NulError(UnicodeError):
    """A text with NUL in it."""


def _decode_file(path: Path, encoding: str, size: int) -> Iterator[tuple[str, bool]]:
    """Yields pieces of a file's text, without a byte order mark, and whether each is the last. Pieces can be empty.

    Raises:
        _FaultError: if the file is not text in this encoding.
        DataError: if it begins with the byte order mark of another encoding.
        TextgenError: if it cannot be read.
    """
    decoder = _make_decoder(encoding)
    heeds_marks = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    offset, line = 0, 1
    for block in _read_blocks(path, size):
        if offset == 0 and not heeds_marks and (wide := _wide_mark(block)):
            raise DataError(f"{path} begins with the byte order mark of {wide}: add {named('encoding')} {wide}")
        before = decoder.getstate()
        try:
            text = _decode(decoder, block)
        except UnicodeError as error:
            decoder.setstate(before)
            raise _find_fault(decoder, block, offset=offset, line=line) from error
        if offset == 0:
            text = text.removeprefix("\ufeff")
        offset += len(block)
        line += text.count("\n")
        yield text, not block


def _decode(decoder: codecs.IncrementalDecoder, block: bytes) -> str:
    """Decodes a block; an empty one is the last. An invalid byte, NUL or a lone surrogate raises a `UnicodeError`."""
    text = decoder.decode(block, not block)
    text.encode()  # fails on a lone surrogate, which utf-7 can contain
    if "\0" in text:
        raise _NulError
    return text


def _find_fault(decoder: codecs.IncrementalDecoder, block: bytes, *, offset: int, line: int) -> _FaultError:
    """Finds the fault in a block by decoding it again, byte by byte.

    Args:
        decoder: the decoder, in its state before the block.
        block: the bytes with the fault; empty if the file ends inside a character.
        offset: the number of unpacked bytes before the block.
        line: the line in which the block begins.

    Returns:
        The error to raise.
    """
    for index, byte in enumerate([block[i : i + 1] for i in range(len(block))] or [b""]):
        # The decoder buffers the first bytes of an unfinished character.
        start = offset + index - len(decoder.getstate()[0])
        try:
            line += _decode(decoder, byte).count("\n")
        except UnicodeError as error:
            return _FaultError(start, line, block, is_nul=isinstance(error, _NulError))
    raise AssertionError("what fails as a block fails byte by byte")


def _describe_fault(path: Path, encoding: str, reason: str, fault: _FaultError) -> DataError:
    """Makes the error for a file that is not text in an encoding, and suggests another encoding.

    Args:
        path: the file.
        encoding: the encoding in which it was read.
        reason: the reason why it was detected not to be UTF-8; empty if the encoding was not detected.
        fault: the fault.
    """
    place = f"byte {fault.byte} (line {fault.line})"
    if fault.is_nul:
        wide = _guess_wide(fault.block)
        advice = f", or name its encoding, such as {named('encoding')} {wide}" if wide else ""
        return DataError(f"{path} is not text, it has NUL at {place}: give a plain text file{advice}")
    if reason and encoding == FALLBACK:
        return DataError(
            f"{path} is {reason}, nor {FALLBACK} at {place}: save it as UTF-8, or name its encoding with {named('encoding')}"
        )
    guess = _NEXT_GUESS.get(codecs.lookup(encoding).name)
    advice = (
        f", such as {named('encoding')} {guess}"
        if guess
        else f"; {named('encoding')} {AUTO} suits older Western European texts"
    )
    return DataError(f"{path} is not valid {encoding} at {place}: save it as UTF-8, or name its encoding{advice}")


def _guess_wide(block: bytes) -> str | None:
    """Guesses the byte order of UTF-16 without a mark; returns None if the block does not look like UTF-16."""
    first, second = block[::2].count(0), block[1::2].count(0)
    if max(first, second) < max(len(block) * _LEAST_SHARE_OF_NUL, 3) or min(first, second):
        return None
    return "utf-16-le" if second else "utf-16-be"
