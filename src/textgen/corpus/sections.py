"""Splits a text into sections for training, validation and test."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from textgen.corpus.section import Section, read_files
from textgen.corpus.wrap_width import AUTO, NO, find_widths
from textgen.errors import DataError, UsageError, named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from hashlib import _Hash as Hash
    from pathlib import Path

    from textgen.corpus.sources import Sources

MAX_VALID_CHARACTERS = 1_000_000
"""The maximum length of the validation text. Every evaluation reads it whole, and a longer one would add nothing."""

_BETWEEN_WORDS = re.compile(r"(?<=\S)\s+(?=\S)")


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
        raise describe_monotony(scan.until(total))
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


def describe_monotony(text: Section) -> DataError:
    """Returns the error for a text with only one distinct token."""
    return DataError(
        f"{text.paths[0]} has only one distinct token to train on: a model has nothing to learn from it; give more text"
    )
