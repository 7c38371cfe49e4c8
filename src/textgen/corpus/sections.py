"""Splits a text into sections for training, validation and test, which are read in pieces."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from textgen.corpus.decoding import read_chunks
from textgen.corpus.unwrapping import AUTO, NO, find_widths, unwrap
from textgen.errors import DataError, UsageError, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from hashlib import _Hash as Hash
    from pathlib import Path

    from textgen.corpus.sources import Sources

MAX_VALID_CHARACTERS = 1_000_000
"""The maximum length of the validation text. Every evaluation reads it whole, and a longer one would add nothing."""

_BETWEEN_WORDS = re.compile(r"(?<=\S)\s+(?=\S)")

# The maximum that a chunk may grow beyond its size if there is no place to cut it. A file can be one line without a space, and
# memory must stay bounded. No word is a million characters long.
_REACH = 1 << 20

_BEFORE_LAST_SPACES = re.compile(r".*\S(?=\s)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A contiguous part of a text, in the state in which it was hashed.

    Attributes:
        paths: the files, which together are the whole text; see `read_files`.
        encoding: their encoding.
        start: the index of the section's first character in the whole text.
        stop: the index after its last character.
        sha256: the hash, in hex, of the section's text in UTF-8, which does not depend on its place.
        widths: the width to which the paragraphs of each file are wrapped, as for `read_files`.
    """

    paths: tuple[Path, ...]
    encoding: str
    start: int
    stop: int
    sha256: str
    widths: tuple[int, ...] = ()

    @property
    def characters(self) -> int:
        """The number of characters in the section."""
        return self.stop - self.start

    def chunks(self, characters: int = 1 << 20) -> Iterator[str]:
        """Reads the section in pieces that can be split into tokens one by one.

        Args:
            characters: about the length of a piece.

        Yields:
            The pieces of the section. Each ends after a line break; without one, before white space; and without that within
            another million characters, anywhere.

        Raises:
            DataError: if the text has changed since it was hashed, which is checked before the last piece.
            TextgenError: as in `read_files`.
        """
        rest, digest = "", hashlib.sha256()
        for text in self._read(characters):
            digest.update(text.encode())
            rest += text
            if len(rest) >= characters and (cut := _find_cut(rest, characters + _REACH)):
                yield rest[:cut]
                rest = rest[cut:]
        if digest.hexdigest() != self.sha256:
            files = f"{self.paths[0]}{f' or one of {len(self.paths) - 1} more' if len(self.paths) > 1 else ''}"
            raise DataError(f"the text changed while it was read ({files}): try again when nothing writes to it")
        if rest:
            yield rest

    def first(self, characters: int) -> Section:
        """Returns a section of about the first characters, which end where a piece of `chunks` does, unless that is far away.

        Raises:
            TextgenError: as `chunks`.
        """
        if self.characters <= characters:
            return self
        text = next(self.chunks(characters))
        text = text if len(text) < 2 * characters else text[:characters]
        digest = hashlib.sha256(text.encode()).hexdigest()
        return dataclasses.replace(self, stop=self.start + len(text), sha256=digest)

    def _read(self, characters: int) -> Iterator[str]:
        """Yields the section in pieces that may end anywhere."""
        position = 0
        for text in read_files(self.paths, self.encoding, characters, self.widths):
            if position >= self.stop:
                return
            yield text[max(self.start - position, 0) : self.stop - position]
            position += len(text)


@dataclass(frozen=True)
class Sections:
    """The sections of a text.

    Attributes:
        texts: the whole texts. `train`, `valid` and `test` are each one of them, or a part of one.
        train: the section for training.
        valid: the section for evaluation during training.
        test: the section for evaluation at the end, if any.
        sha256: the hash, in hex, of the texts and of the limits of the sections.
        unwrapped: whether hard-wrapped paragraphs are read as one line each.
    """

    texts: tuple[Section, ...]
    train: Section
    valid: Section
    test: Section | None
    sha256: str
    unwrapped: bool


def open_sections(
    sources: Sources, *, valid_fraction: float = 0.1, encoding: str = "utf-8", unwrap: str = AUTO
) -> Sections:
    """Splits a text into sections. This reads the text once, and the start of each file once more.

    Args:
        sources: the files.
        valid_fraction: the fraction at the end of the training text to set aside for validation, at most a million characters.
            Not used if the corpus has its own validation text.
        encoding: the encoding of the files, as for `read_chunks`.
        unwrap: whether hard-wrapped paragraphs are read as one line each: `yes`, `no` or `auto`, as for `find_widths`. If there is a
            vocabulary file, `auto` means `no`, because its text is already split.

    Returns:
        The sections.

    Raises:
        UsageError: if an argument is out of range.
        DataError: if a file is empty, not text, or too short to split.
    """
    if not 0 < valid_fraction < 1:
        raise UsageError(f"{named('valid_fraction')} must be between 0 and 1, not {valid_fraction}: try 0.1")
    groups = [paths for paths in (sources.train, sources.valid, sources.test) if paths]
    paths = [path for group in groups for path in group]
    widths = find_widths(paths, encoding, NO if sources.vocabulary and unwrap == AUTO else unwrap)
    left = iter(widths)
    scans = [_scan(group, encoding, tuple(islice(left, len(group)))) for group in groups]
    texts = tuple(scan.until(scan.characters) for scan in scans)
    train, valid = texts[:2] if sources.valid else _cut(scans[0], valid_fraction)
    test = texts[-1] if sources.test else None
    places = [f"{section.start}-{section.stop}" for section in (train, valid, test) if section]
    sha256 = hashlib.sha256(" ".join([*(text.sha256 for text in texts), *places]).encode()).hexdigest()
    return Sections(texts, train, valid, test, sha256, unwrapped=bool(widths))


def open_whole(paths: Sequence[Path], *, encoding: str = "utf-8", unwrap: str = AUTO) -> Section:
    """Opens a text that is not split. This reads it once, and the start of each file once more.

    Args:
        paths: the files, which together are the text.
        encoding: their encoding, as for `read_chunks`.
        unwrap: as in `open_sections`.

    Returns:
        The whole text.

    Raises:
        UsageError: if an argument is out of range.
        DataError: if a file is empty or not text.
    """
    scan = _scan(paths, encoding, find_widths(paths, encoding, unwrap))
    return scan.until(scan.characters)


class _Scan(NamedTuple):
    """The result of reading some files once, from which their text can be cut near its end and both parts hashed.

    Attributes:
        paths: the files.
        encoding: their encoding.
        widths: the widths of their paragraphs, as for `read_files`.
        characters: the length of their text.
        digest: the hash of the text before its tail.
        tail: the end of the text.
    """

    paths: tuple[Path, ...]
    encoding: str
    widths: tuple[int, ...]
    characters: int
    digest: Hash
    tail: str

    def until(self, stop: int) -> Section:
        """Returns the section from the start of the text to `stop`, which must be in the tail."""
        digest = self.digest.copy()
        digest.update(self.tail[: stop - self.characters + len(self.tail)].encode())
        return Section(self.paths, self.encoding, 0, stop, digest.hexdigest(), self.widths)

    def since(self, start: int) -> Section:
        """Returns the section from `start`, which must be in the tail, to the end of the text."""
        text = self.tail[start - self.characters + len(self.tail) :]
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return Section(self.paths, self.encoding, start, self.characters, sha256, self.widths)


def _scan(paths: Sequence[Path], encoding: str, widths: tuple[int, ...]) -> _Scan:
    """Reads some files once."""
    characters, digest, tail = 0, hashlib.sha256(), ""
    for text in read_files(paths, encoding, widths=widths):
        characters += len(text)
        tail += text
        before = max(len(tail) - MAX_VALID_CHARACTERS - 1, 0)  # plus the line break before the earliest cut
        digest.update(tail[:before].encode())
        tail = tail[before:]
    return _Scan(tuple(paths), encoding, widths, characters, digest, tail)


def _cut(scan: _Scan, valid_fraction: float) -> tuple[Section, Section]:
    """Cuts a text into training and validation sections, if possible between two lines, or between two words of an unwrapped text."""
    total, tail = scan.characters, scan.tail
    if total < 2:  # noqa: PLR2004 - one character for each part
        raise describe_single_token(scan.until(total))
    valid_size = min(max(int(total * valid_fraction), 1), MAX_VALID_CHARACTERS)
    earliest = len(tail) - valid_size
    if scan.widths:
        space = _BETWEEN_WORDS.search(tail, earliest)
        cut = space.start() if space else earliest
    else:
        line_break = tail.find("\n", earliest - 1, -1)  # one at the very end starts no line
        cut = line_break + 1 if line_break >= 0 else earliest
    start = total - len(tail) + cut
    return scan.until(start), scan.since(start)


def describe_single_token(text: Section) -> DataError:
    """Returns the error for a text with only one distinct token."""
    return DataError(
        f"{text.paths[0]} has only one distinct token to train on: a model has nothing to learn from it; give more text"
    )


def _find_cut(text: str, limit: int) -> int:
    """Returns the length to yield: up to the last good place to cut, else the whole text if it reaches the limit, else 0."""
    if line_end := text.rfind("\n") + 1:
        return line_end
    if match := _BEFORE_LAST_SPACES.match(text):
        return match.end()
    return len(text) if len(text) >= limit else 0


def read_files(
    paths: Sequence[Path], encoding: str, characters: int = 1 << 20, widths: Sequence[int] = ()
) -> Iterator[str]:
    """Reads files as one text. A line break is added after each file that lacks one, except the last.

    Args:
        paths: the files, in order.
        encoding: their encoding.
        characters: the approximate maximum length of a piece.
        widths: the width to which the paragraphs of each file are wrapped, from `find_widths`; they are unwrapped. A file with
            width 0 is read as it is, and so are all files if this is empty.

    Yields:
        Pieces of the text, which may end anywhere.

    Raises:
        DataError: if a file is empty or not text.
        TextgenError: as in `read_chunks`.
    """
    text = "\n"
    for path, width in zip(paths, widths or [0] * len(paths), strict=True):
        if not text.endswith("\n"):
            yield "\n"
        text = ""
        pieces = read_chunks(path, encoding, characters)
        for text in unwrap(pieces, width) if width else pieces:
            yield text
        if not text:
            raise DataError(f"{path} is empty: remove it, or name other files")
