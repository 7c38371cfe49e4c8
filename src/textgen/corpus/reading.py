r"""Bytes of a file -> text, in pieces; knows nothing of sections or tokens.

What comes out has no byte order mark, no NUL and no lone surrogate, and its line ends are `\n`.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from typing import TYPE_CHECKING

from textgen.errors import DataError, UsageError, from_os_error, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LONGEST_MARK = 4  # bytes

# What to try where an encoding fails; utf-16 fails without a byte order mark, utf-16-le does not.
_NEXT_GUESS = {"utf-8": "latin-1", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def read_chunks(path: Path, encoding: str = "utf-8", characters: int = 1 << 20) -> Iterator[str]:
    """Reads a text file in pieces; a gzip file is unpacked on the way.

    Args:
        path: the file; gzip is known by the name `*.gz` or by its first bytes.
        encoding: any text encoding that Python knows.
        characters: about the longest piece.

    Yields:
        Pieces of the text, none of them empty. A byte order mark is dropped, CRLF becomes LF, a lone CR stays.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file is not text in this encoding, or not whole.
        MissingError: there is no such file.
        AccessError: the file may not be read.
        InputOutputError: the disk failed.
    """
    decoder = _make_decoder(encoding)
    offset, line, held = 0, 1, ""
    for block in _read_blocks(path, characters):
        if offset == 0:
            _refuse_wide_mark(path, encoding, block)
        before = decoder.getstate()
        try:
            text = _decode(decoder, block)
        except UnicodeError as error:
            decoder.setstate(before)
            raise _describe_fault(path, encoding, decoder, block, offset=offset, line=line) from error
        if offset == 0:
            text = text.removeprefix("\ufeff")
        offset += len(block)
        line += text.count("\n")
        text, held = held + text, ""
        if block and text.endswith("\r"):  # the next block may begin with its LF
            text, held = text[:-1], "\r"
        if text:
            yield text.replace("\r\n", "\n")


def _make_decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        " ".encode(encoding)  # refuses what is no text encoding, such as base64
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"{named('encoding')} must be a text encoding that Python knows, not {encoding!r}: try utf-8, latin-1 or utf-16"
        ) from error


def _read_blocks(path: Path, size: int) -> Iterator[bytes]:
    """Yields a file's unpacked bytes, then one empty block; the first block holds any byte order mark whole."""
    try:
        with path.open("rb") as file:
            packed = path.suffix == ".gz" or file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            with gzip.GzipFile(fileobj=file) if packed else file as stream:
                block = stream.read(max(size, _LONGEST_MARK))
                while block:
                    yield block
                    block = stream.read(size)
        yield b""
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}): fetch it again or unpack it") from error
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error


def _refuse_wide_mark(path: Path, encoding: str, start: bytes) -> None:
    """Refuses a file that begins with a byte order mark which its encoding knows nothing of."""
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return
    for mark, name in _WIDE_MARKS.items():
        if start.startswith(mark):
            raise DataError(f"{path} begins with the byte order mark of {name}: add {named('encoding')} {name}")


class _NulError(UnicodeError):
    """A text with NUL in it, as binary data has."""


def _decode(decoder: codecs.IncrementalDecoder, block: bytes) -> str:
    """Decodes a block, an empty one as the last; a fault in it, NUL or a lone surrogate is a `UnicodeError`."""
    text = decoder.decode(block, not block)
    text.encode()  # fails at a lone surrogate, as utf-7 can give
    if "\0" in text:
        raise _NulError
    return text


def _describe_fault(
    path: Path, encoding: str, decoder: codecs.IncrementalDecoder, block: bytes, *, offset: int, line: int
) -> DataError:
    """Finds the fault in a block by decoding it again byte by byte.

    Args:
        path: the file.
        encoding: its encoding.
        decoder: the decoder in the state in which it met the block.
        block: the bytes with the fault; none when the file ends inside a character.
        offset: the bytes of the file before the block, unpacked.
        line: the line in which the block begins.

    Returns:
        The error to raise.
    """
    for index, byte in enumerate([block[i : i + 1] for i in range(len(block))] or [b""]):
        # A character begins where the bytes begin that the decoder still holds back.
        start = offset + index - len(decoder.getstate()[0])
        try:
            line += _decode(decoder, byte).count("\n")
        except _NulError:
            return DataError(
                f"{path} is not text, it has NUL at byte {start} (line {line}): "
                f"give a plain text file, or say how it is encoded, such as {named('encoding')} utf-16-le"
            )
        except UnicodeError:
            guess = _NEXT_GUESS.get(codecs.lookup(encoding).name, "utf-8")
            return DataError(
                f"{path} is not valid {encoding} at byte {start} (line {line}): "
                f"save it as UTF-8 or say how it is encoded, such as {named('encoding')} {guess}"
            )
    raise AssertionError("what fails as a block fails byte by byte")
