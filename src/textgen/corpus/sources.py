"""Arguments -> the files to read; knows nothing of what is in them."""

from __future__ import annotations

import difflib
import glob
import itertools
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.errors import MissingError, UsageError, from_os_error, named
from textgen.storage import fetch_argument, is_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ENDINGS = (".txt", ".txt.gz")
_TRAIN = ".train.txt"


@dataclass(frozen=True)
class Sources:
    """The files of a corpus.

    Attributes:
        prefix: names the job.
        train: the files to learn from, in order.
        valid: the files to score with; none when a part of `train` is to be kept for that.
        test: the files to score with in the end; may be none.
        vocabulary: the file that lists the tokens of a pre-tokenised corpus.
    """

    prefix: str
    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    test: tuple[Path, ...]
    vocabulary: Path | None


def find_sources(texts: Sequence[str], data_dir: str | None, data_prefix: str | None) -> Sources:
    """Finds the files that the arguments speak of.

    Args:
        texts: files, folders (all `*.txt` and `*.txt.gz` below them) or globs, also in buckets. A folder that is the
            only one, and holds the `PREFIX.train.txt` of one corpus, stands for that corpus.
        data_dir: instead of texts, the folder of a corpus; without `data_prefix` it is read as such a text.
        data_prefix: with `data_dir`, the corpus in that folder, such as `jules` for `jules.train.txt`,
            `jules.valid.txt`, `jules.test.txt` and `jules.vocab.txt`, or else `jules.txt`, each also with `.gz`. It
            names the job, too; with `texts` it does nothing else.

    Returns:
        Files that exist and may be read; those of `texts` as they were given, each once, those of a folder or of a glob
        sorted.

    Raises:
        UsageError: the arguments contradict each other, one cannot be read as a file, or a folder holds several
            corpora.
        MissingError: a file is not there, or a folder holds no text.
        AccessError: a file may not be read.
    """
    if texts and data_dir:
        raise UsageError(f"the text is {texts[0]} and also {named('data_dir')} {data_dir}: give only one of them")
    arguments = [data_dir] if data_dir else texts
    if not arguments or not all(arguments):
        raise UsageError(f"a text is needed and none was named: give files, a folder or {named('data_dir')}")
    if data_prefix is not None and not re.fullmatch(r"[A-Za-z0-9._-]+", data_prefix):
        raise UsageError(
            f"{named('data_prefix')} takes letters, digits, '.', '_' and '-', not {data_prefix!r}: choose another name"
        )
    arguments = [fetch_argument(argument, _ENDINGS) if is_bucket(argument) else argument for argument in arguments]
    try:
        if data_dir and data_prefix:
            sources = _find_corpus(Path(arguments[0]), data_prefix)
        elif len(arguments) == 1 and (found := _find_prefixes(Path(arguments[0]))):
            sources = _find_only_corpus(Path(arguments[0]), found, data_prefix)
        else:
            sources = _find_texts(arguments, data_prefix)
        for path in (*sources.train, *sources.valid, *sources.test):
            path.open("rb").close()
    except OSError as error:
        raise from_os_error(error, f"cannot read {error.filename}") from error
    return sources


def prefix_of(arguments: Sequence[str]) -> str:
    """What names a job by its texts, as far as their names tell: a file's name without its ending, or a folder's.

    Args:
        arguments: as `find_sources` takes them; they need not be there.
    """
    name = Path(arguments[0].rstrip("/")).name
    return _make_prefix(_stem(Path(name)) if name.endswith(_ENDINGS) else name)


def _find_corpus(folder: Path, prefix: str) -> Sources:
    """Finds `{prefix}.train.txt` with its companions, or else `{prefix}.txt`."""

    def find(stem: str) -> tuple[Path, ...]:
        paths = (folder / f"{stem}{ending}" for ending in _ENDINGS)
        return tuple(path for path in paths if path.is_file())[:1]

    if not folder.is_dir():
        raise _describe_missing(folder)
    vocabulary = next(iter(find(f"{prefix}.vocab")), None)
    if train := find(f"{prefix}.train"):
        return Sources(prefix, train, find(f"{prefix}.valid"), find(f"{prefix}.test"), vocabulary)
    if whole := find(prefix):
        return Sources(prefix, whole, (), (), vocabulary)
    raise MissingError(
        f"there is no text of {prefix!r} in {folder}: looked for {prefix}.train.txt and {prefix}.txt, "
        f"each also with .gz; check {named('data_dir')} and {named('data_prefix')}"
    )


def _find_prefixes(folder: Path) -> list[str]:
    """Returns the names, sorted, of the corpora whose training text lies in a folder; none if it is no folder."""
    if not folder.is_dir():
        return []
    names = (path.name.removesuffix(".gz") for path in folder.iterdir() if path.is_file())
    stems = {name.removesuffix(_TRAIN) for name in names if name.endswith(_TRAIN) and not name.startswith(".")}
    return sorted(stems)


def _find_only_corpus(folder: Path, found: Sequence[str], prefix: str | None) -> Sources:
    """Finds the one corpus of a folder; refuses several, which would be glued together."""
    if len(found) > 1:
        raise UsageError(
            f"the folder {folder} holds several corpora, {', '.join(found)}: "
            f"choose one, such as {named('data_dir')} {folder} {named('data_prefix')} {found[0]}, or name the files"
        )
    return replace(_find_corpus(folder, found[0]), prefix=prefix or _make_prefix(found[0]))


def _find_texts(arguments: Sequence[str], prefix: str | None) -> Sources:
    """Finds the files, those of folders and those that match globs."""
    groups = [_expand(argument) for argument in arguments]
    if prefix is None:
        first = Path(arguments[0])
        prefix = _make_prefix(first.resolve().name if first.is_dir() else _stem(groups[0][0]))
    files: dict[Path, Path] = {}
    for path in itertools.chain.from_iterable(groups):
        files.setdefault(path.resolve(), path)
    return Sources(prefix, tuple(files.values()), (), (), None)


def _expand(argument: str) -> list[Path]:
    """Returns the files that one argument stands for, sorted; at least one."""
    path = Path(argument)
    if path.is_dir():
        files = sorted(_texts_below(path))
        if not files:
            raise MissingError(f"the folder {path} holds no *.txt or *.txt.gz file: name another, or name the files")
        return files
    if path.is_file():
        return [path]
    if path.exists():
        raise UsageError(f"{path} is not a file and can be read only once, if at all: save its text to a file first")
    if not re.search(r"[*?[]", argument):
        raise _describe_missing(path)
    matches = map(Path, glob.glob(argument, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = sorted(match for match in matches if match.is_file())
    if not files:
        raise MissingError(f"no file matches {argument}: check the pattern and the folder it starts from")
    return files


def _texts_below(folder: Path) -> Iterator[Path]:
    """Yields the text files below a folder, but no hidden ones and none of hidden folders."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = (name for name in folders if not name.startswith("."))
        for name in names:
            if name.endswith(_ENDINGS) and not name.startswith(".") and (path := Path(place, name)).is_file():
                yield path


def _stem(path: Path) -> str:
    """Returns a file's name without `.txt`, `.txt.gz` or another ending."""
    return Path(path.name.removesuffix(".gz")).stem


def _make_prefix(name: str) -> str:
    """Turns any name into one of a-z, 0-9 and '-'."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "text"


def _describe_missing(path: Path) -> MissingError:
    """Makes the error for a path that is not there; it names the one that was likely meant."""
    while not path.parent.is_dir():
        path = path.parent
    folder = path.parent
    close = difflib.get_close_matches(path.name, os.listdir(folder), n=1)  # noqa: PTH208 - names are what is compared
    hint = f"did you mean {folder / close[0]}?" if close else "check the path"
    return MissingError(f"there is no {path}: {hint}")
