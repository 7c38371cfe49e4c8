"""Downloads objects of a bucket, and uploads local files to one, each of them once."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from textgen.errors import InputOutputError, MissingError, from_os_error
from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject, crc32c
from textgen.storage.cache import cache_directory
from textgen.storage.files import is_temporary, remove, remove_old_temporaries, write_atomic
from textgen.storage.object_names import check_local_name, find_twins
from textgen.storage.uris import SCHEME, is_bucket, split

_LONGEST_NAME = 200
"""In bytes: of names that could be too long for a local disk, the end is kept."""

_WILDCARD = re.compile(r"[*?[]")


def fetch(uri: str) -> Path:
    """Downloads an object, once for each content of it.

    The service is asked each time which content the object has now, and what arrives is checked against the service's
    checksum. Without credentials the object is requested anonymously, which is enough for a public one. No project is
    needed.

    Args:
        uri: `gs://BUCKET/OBJECT`.

    Returns:
        The file, in the cache, under the object's own name. It is for reading only.

    Raises:
        UsageError: for an invalid URI, or a name that no local file can have.
        MissingError: when there is no such bucket or object.
        AccessError: when the credentials do not allow it.
        UnavailableError: when there are no credentials and the object is not public, or the service cannot be reached;
            the latter is noticed within about a minute, or two if it happens in the middle.
        InputOutputError: when what arrived is damaged, or the disk fails.
    """
    path = _fetch_if_there(uri)
    if path is None:
        raise MissingError(f"there is no {uri}; check the names of the bucket and of the file")
    return path


def fetch_argument(argument: str, choose: Callable[[str, Collection[str]], Collection[str]]) -> str:
    """Downloads what an argument names in a bucket: a file, a folder or a glob.

    Args:
        argument: begins with `gs://`.
        choose: for a folder or a glob, chooses what to download. It is called with the folder's URI and the names of the
            objects below it, relative to it.

    Returns:
        The path or glob that means the same on the local disk; names are those of the bucket.

    Raises:
        TextgenError: as `fetch`, and whatever `choose` raises.
    """
    if not argument.endswith("/") and (path := _fetch_if_there(argument)) is not None:
        return str(path)
    wildcard = _WILDCARD.search(argument)
    folder, pattern = argument.rstrip("/"), ""
    if wildcard:
        folder, _, begun = argument[: wildcard.start()].rpartition("/")
        pattern = f"/{begun}{argument[wildcard.start() :]}"
    place = _cached(folder, "folder")
    with BucketDirectory(folder) as directory:
        there = directory.list()
        found = {name: there[name] for name in (choose(folder, there) if there else ())}
        if not found:
            raise MissingError(
                f"there is no {argument}, and no text below it; check the names of the bucket and of the file"
            )
        _bring_all(directory, found, place)
    for path in place.rglob("*"):
        # Another process may be downloading the same folder.
        if path.is_file() and not is_temporary(path) and path.relative_to(place).as_posix() not in found:
            remove(path)
    return f"{glob.escape(str(place))}{pattern}" if pattern else str(place)


def fetch_directory(uri: str, place: Path, names: Iterable[str] | None = None) -> list[str]:
    """Downloads the objects below a place of a bucket, except those that are here already.

    Args:
        uri: the place.
        place: the local directory; made when missing.
        names: of the objects to download; None for all.

    Returns:
        The names of those that are here now; whatever else is in the directory stays.

    Raises:
        InputOutputError: when two of the objects would be one file here.
        TextgenError: as `fetch`; a place without objects is empty.
    """
    remove_old_temporaries(place)
    with BucketDirectory(uri) as directory:
        found = directory.list()
        asked = found.keys() if names is None else set(names)
        wanted = {name: facts for name, facts in found.items() if name in asked}
        _bring_all(directory, wanted, place)
    return list(wanted)


def upload_once(path: Path, uri: str) -> None:
    """Brings a file into a bucket, unless there is such an object; for names that say which content is meant.

    Args:
        path: the file.
        uri: of the object.

    Raises:
        TextgenError: as `BucketDirectory`, or when the file cannot be read.
    """
    with _opened(uri) as (directory, name):
        if directory.find(name) is None and directory.upload(name, path, NOT_THERE) is None:
            raise MissingError(f"{path} is gone; restore it and run the same command again")


def name_by_content(paths: Sequence[Path]) -> str:
    """A short name for the content of files: any other content has another name.

    Raises:
        TextgenError: when one cannot be read.
    """
    content = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                content.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise from_os_error(error, f"cannot read {path}") from error
    return content.hexdigest()[:16]


def copy_to(path: Path, place: str) -> None:
    """Copies a small file to a path or to an object of a bucket, which it replaces.

    Raises:
        TextgenError: when it cannot be read or written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    if not is_bucket(place):
        write_atomic(Path(place), content)
        return
    with _opened(place) as (directory, name):
        before = directory.find(name)
        directory.write(name, content, NOT_THERE if before is None else before.generation)


@contextlib.contextmanager
def _opened(uri: str) -> Iterator[tuple[BucketDirectory, str]]:
    """The bucket of an object, and the object's name in it."""
    bucket, name = split(uri)
    with BucketDirectory(f"{SCHEME}{bucket}") as directory:
        yield directory, name


def _fetch_if_there(uri: str) -> Path | None:
    with _opened(uri) as (directory, name):
        facts = directory.find(name)
        if facts is None:
            return None
        path = _cached(uri, "file")
        _bring(directory, name, facts, path)
        return path


def _cached(uri: str, kind: str) -> Path:
    """The local path of what a URI names, with the same name at its end."""
    name = check_local_name(uri.rstrip("/").rpartition("/")[2], uri)
    key = hashlib.sha256(f"{kind} {uri}".encode()).hexdigest()[:32]
    return cache_directory("buckets") / key / name.encode()[-_LONGEST_NAME:].decode(errors="ignore")


def _bring_all(directory: BucketDirectory, objects: Mapping[str, StoredObject], place: Path) -> None:
    """Downloads the objects that `directory` lists, except those that are here already."""
    if twins := find_twins(objects):
        raise InputOutputError(
            f"{twins[0]} and {twins[1]} in {directory.uri} would be one file on this machine; rename one of them"
        )
    for name, facts in objects.items():
        _bring(directory, name, facts, place / name)


def _bring(directory: BucketDirectory, name: str, facts: StoredObject, path: Path) -> None:
    """Downloads an object unless its content is here already."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == facts.size and crc32c(path) == facts.crc32c:
            return
    directory.download(name, path)
