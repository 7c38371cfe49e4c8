"""Finds the files that the arguments name, and checks that they can be opened."""

from __future__ import annotations

import difflib
import glob
import itertools
import os
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.console import visible
from textgen.corpus.folder import (
    ENDINGS,
    Skipped,
    choose_texts,
    describe_job,
    files_below,
    find_jobs,
    find_outputs,
    has_job_layout,
    is_log,
    relative_path,
)
from textgen.errors import MissingError, UsageError, from_os_error, named
from textgen.jobs import is_job_directory
from textgen.storage import fetch_argument, is_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_TRAIN = ".train.txt"
_WILDCARD = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Sources:
    """The files of a corpus.

    Attributes:
        prefix: the first part of the job's name.
        train: the training files, in order.
        valid: the validation files; empty if a part of `train` is set aside for validation.
        test: the test files; may be empty.
        vocabulary: the file that lists the tokens of a pre-tokenized corpus; None if there is none.
        skipped: the files and jobs next to them that are not read.
    """

    prefix: str
    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    test: tuple[Path, ...]
    vocabulary: Path | None
    skipped: Skipped = field(default_factory=Skipped)


def find_sources(
    texts: Sequence[str], data_dir: str | None, data_prefix: str | None, job_dir: str | None = None
) -> Sources:
    """Finds the files that the arguments name.

    Args:
        texts: files, folders (all `*.txt` and `*.txt.gz` below them) or globs, also in buckets. If the only argument is a
            folder with the `PREFIX.train.txt` of one corpus, that corpus is meant. Job directories are skipped, because their
            samples are the model's own text; a file in one is read only if no other text is named.
        data_dir: the folder of a corpus, instead of `texts`. Without `data_prefix`, it is read like a folder in `texts`.
        data_prefix: with `data_dir`, the corpus in that folder, such as `jules` for `jules.train.txt`, `jules.valid.txt`,
            `jules.test.txt` and `jules.vocab.txt`, or else `jules.txt`, each also with `.gz`. It is also the first part of the
            job's name, and with `texts` it is only that.
        job_dir: the directory of the job that learns from the text. It is skipped even if no job exists there yet.

    Returns:
        Readable files, without duplicates: those of `texts` in the given order, those of a folder or a glob sorted.

    Raises:
        UsageError: if the arguments contradict each other, one is neither a file nor a folder, or a folder contains several
            corpora or is a job directory.
        MissingError: if a file does not exist, or a folder contains no text.
        AccessError: if a file may not be read.
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
    try:
        if data_dir and data_prefix:
            folder, _ = _fetch(data_dir, None)
            sources = _find_corpus(Path(folder), data_prefix)
        else:
            sources = _find_texts(arguments, data_prefix, job_dir)
        for path in (*sources.train, *sources.valid, *sources.test):
            path.open("rb").close()
    except OSError as error:
        raise from_os_error(error, f"cannot read {error.filename}") from error
    return sources


def prefix_of(arguments: Sequence[str]) -> str:
    """Guesses the first part of a job's name from the name of its first file or folder, without opening it.

    Args:
        arguments: the `texts` of `find_sources`; they need not exist.
    """
    name = Path(arguments[0].rstrip("/")).name
    return _make_prefix(_stem(Path(name)) if name.endswith(ENDINGS) else name)


def _fetch(argument: str, job_dir: str | None) -> tuple[str, Skipped]:
    """Fetches an argument if it is in a bucket.

    Returns:
        The local path or glob of the copy, and the files and jobs that were skipped in a folder there.
    """
    skipped = Skipped()

    def choose(folder: str, names: Collection[str]) -> Collection[str]:
        nonlocal skipped
        own_job = _relative_uri(job_dir, folder)
        if _WILDCARD.search(argument):
            jobs = tuple(f"{job}/" for job in find_jobs(folder, names, own_job))
            return [name for name in names if name.endswith(ENDINGS) and not name.startswith(jobs)]
        texts, skipped = choose_texts(folder, names, own_job)
        return texts

    return (fetch_argument(argument, choose) if is_bucket(argument) else argument), skipped


def _find_corpus(folder: Path, prefix: str) -> Sources:
    """Finds `{prefix}.train.txt` and the other files of the corpus, or else `{prefix}.txt`."""

    def find(stem: str) -> tuple[Path, ...]:
        paths = (folder / f"{stem}{ending}" for ending in ENDINGS)
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
    """Returns the sorted prefixes of the corpora in a folder; none if it is not a folder."""
    if not folder.is_dir():
        return []
    names = (path.name.removesuffix(".gz") for path in folder.iterdir() if path.is_file())
    stems = {name.removesuffix(_TRAIN) for name in names if name.endswith(_TRAIN) and not name.startswith(".")}
    return sorted(stems)


def _find_only_corpus(folder: Path, found: Sequence[str], prefix: str | None) -> Sources:
    """Finds the only corpus of a folder; refuses several, which would otherwise be concatenated."""
    if len(found) > 1:
        raise UsageError(
            f"the folder {folder} contains several corpora, {', '.join(found)}: "
            f"choose one, such as {named('data_dir')} {folder} {named('data_prefix')} {found[0]}, or name the files"
        )
    return replace(_find_corpus(folder, found[0]), prefix=prefix or _make_prefix(found[0]))


def _find_texts(arguments: Sequence[str], prefix: str | None, job_dir: str | None) -> Sources:
    """Finds the files that the arguments name, or the only corpus of a folder."""
    arguments, outputs = _leave_out_outputs(arguments, job_dir)
    fetched, skipped = zip(*(_fetch(argument, job_dir) for argument in arguments), strict=True)
    first = Path(fetched[0])
    if len(fetched) == 1 and (found := _find_prefixes(first)):
        return replace(_find_only_corpus(first, found, prefix), skipped=sum(outputs, start=Skipped()))
    groups, left_out = zip(*(_expand(argument, job_dir) for argument in fetched), strict=True)
    if prefix is None:
        prefix = _make_prefix(first.resolve().name if first.is_dir() else _stem(groups[0][0]))
    files: dict[Path, Path] = {}
    for path in itertools.chain.from_iterable(groups):
        files.setdefault(path.resolve(), path)
    return Sources(prefix, tuple(files.values()), (), (), None, sum((*outputs, *skipped, *left_out), start=Skipped()))


def _leave_out_outputs(arguments: Sequence[str], job_dir: str | None) -> tuple[Sequence[str], list[Skipped]]:
    """Leaves out the arguments that name nothing but the output of runs, as a shell's `*` does; keeps them if all do."""
    is_job = cache(has_job_layout)  # a shell's `*` can name thousands of files of one folder
    found = [_find_output(argument, job_dir, is_job) for argument in arguments]
    texts = [argument for argument, output in zip(arguments, found, strict=True) if output is None]
    return (texts, list(filter(None, found))) if texts else (arguments, [])


def _find_output(argument: str, job_dir: str | None, is_job: Callable[[Path], bool]) -> Skipped | None:
    """Returns the jobs or TensorBoard logs that an argument names; None if it names anything else."""
    path = Path(argument)
    if is_bucket(argument) or not path.exists():
        return None
    for place in (path, *path.parents):
        if ".." in path.relative_to(place).parts:  # then the place is not above the path
            break
        if is_job(place):
            return Skipped(jobs=(visible(str(place)),))
    if path.is_dir():
        return find_outputs(argument, list(files_below(path)), relative_path(job_dir, path))
    return Skipped(files=(visible(argument),)) if is_log(argument) else None


def _expand(argument: str, job_dir: str | None) -> tuple[list[Path], Skipped]:
    """Returns the files that one argument names, sorted and at least one, and what was skipped."""
    path = Path(argument)
    if path.is_dir():
        names, skipped = choose_texts(str(path), list(files_below(path)), relative_path(job_dir, path))
        return [path / name for name in names], skipped
    if path.is_file():
        return [path], Skipped()
    if path.exists():
        raise UsageError(f"{path} is not a file and can be read only once, if at all: save its text to a file first")
    if not _WILDCARD.search(argument):
        raise _describe_missing(path)
    return _expand_glob(argument, job_dir)


def _expand_glob(pattern: str, job_dir: str | None) -> tuple[list[Path], Skipped]:
    """Returns the files that a glob matches, and what was skipped: job directories and TensorBoard's logs."""
    fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    own_job = relative_path(job_dir, fixed)
    is_job: dict[Path, bool] = {}
    files: list[Path] = []
    logs: list[Path] = []
    jobs: set[Path] = set()
    for match in map(Path, glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not match.is_file():
            continue
        for folder in reversed(match.relative_to(fixed).parents):
            place = fixed / folder
            if place not in is_job:
                is_job[place] = folder.as_posix() == own_job or is_job_directory(os.listdir(place))  # noqa: PTH208
            if is_job[place]:
                jobs.add(place)
                break
        else:
            (logs if is_log(match.name) else files).append(match)
    if fixed in jobs:
        raise describe_job(str(fixed), is_own=own_job == ".")
    if not files:
        beside = f" except in job directories such as {min(jobs)}, which are not read" if jobs else ""
        raise MissingError(f"no file matches {pattern}{beside}: check the pattern and the folder it starts from")
    return sorted(files), Skipped(*(tuple(visible(str(path)) for path in sorted(paths)) for paths in (logs, jobs)))


def _relative_uri(place: str | None, folder: str) -> str | None:
    """Returns a URI relative to a folder in a bucket, for `choose_texts`; None if it is not in the folder."""
    if place is None or not f"{place.rstrip('/')}/".startswith(f"{folder}/"):
        return None
    return place.rstrip("/").removeprefix(folder).lstrip("/") or "."


def _stem(path: Path) -> str:
    """Returns a file's name without `.txt`, `.txt.gz` or another ending."""
    return Path(path.name.removesuffix(".gz")).stem


def _make_prefix(name: str) -> str:
    """Turns a name into lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "text"


def _describe_missing(path: Path) -> MissingError:
    """Makes the error for a path that does not exist, and suggests a similar one."""
    if path.name.startswith("--"):
        return MissingError(f"there is no {path}: put flags before --")
    if path.parts[:1] == ("~",):
        return MissingError(f"there is no {path}: write the path in full, because only a shell knows ~")
    while not path.parent.is_dir():
        path = path.parent
    folder = path.parent
    close = difflib.get_close_matches(path.name, os.listdir(folder), n=1)  # noqa: PTH208 - only names are compared
    hint = f"did you mean {folder / close[0]}?" if close else "check the path"
    return MissingError(f"there is no {path}: {hint}")
