"""Brings objects of a bucket to the local disk, and local files into one, each once; knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from textgen.errors import MissingError, from_os_error
from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject, crc32c
from textgen.storage.cache import cache_directory
from textgen.storage.files import remove, write_atomic
from textgen.storage.service import make_client, patience, translated
from textgen.storage.uris import SCHEME, is_bucket, split

_LONGEST_NAME = 200
"""In characters: of names that could be too long for a local disk, the end is kept."""

_WILDCARD = re.compile(r"[*?[]")


def fetch(uri: str) -> Path:
    """Brings an object to the local disk, once for each content of it.

    The service is asked each time what the object is now, and what arrives is checked against the checksum that it names.
    Without credentials the object is asked for anonymously, which is enough for a public one. No project is needed.

    Args:
        uri: `gs://BUCKET/OBJECT`.

    Returns:
        The file, in the cache, under the object's own name. It is to be read, not changed.

    Raises:
        UsageError: for a URI that cannot be.
        MissingError: when there is no such bucket or object.
        AccessError: when the credentials do not allow it.
        UnavailableError: when there are no credentials and the object is not public, or the service cannot be reached;
            the latter shows within about a minute, or two when it happens in the middle.
        InputOutputError: when what arrived is damaged, or the disk fails.
    """
    path = _fetch_if_there(uri)
    if path is None:
        raise MissingError(f"there is no {uri}; check the names of the bucket and of the file")
    return path


def fetch_argument(argument: str, choose: Callable[[str, Collection[str]], Collection[str]]) -> str:
    """Brings what an argument names in a bucket, a file, a folder or a glob, to the local disk.

    Args:
        argument: begins with `gs://`.
        choose: for a folder or a glob, chooses what to bring. It is called with the folder's URI and the names of the
            objects below it, relative to it.

    Returns:
        The argument that stands for the same on the local disk: a path, or a glob; names are those of the bucket.

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
        for name, facts in found.items():
            _bring(directory, name, facts, place / name)
    for path in place.rglob("*"):
        if path.is_file() and path.relative_to(place).as_posix() not in found:
            remove(path)
    return f"{glob.escape(str(place))}{pattern}" if pattern else str(place)


def fetch_directory(uri: str, place: Path, names: Iterable[str] | None = None) -> list[str]:
    """Brings the objects below a place of a bucket to the local disk, but for those that are there already.

    Args:
        uri: the place.
        place: the local directory; made when missing.
        names: of the objects to bring; None for all.

    Returns:
        The names of those that are there now; whatever else is in the directory stays.

    Raises:
        TextgenError: as `fetch`; a place where nothing lies is empty.
    """
    with BucketDirectory(uri) as directory:
        found = directory.list()
        asked = found.keys() if names is None else set(names)
        wanted = [name for name in found if name in asked]
        for name in wanted:
            _bring(directory, name, found[name], place / name)
    return wanted


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
    """A short name for files, which another content would change.

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
    """Copies a small file to a path, or to an object of a bucket, over what is there.

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


def bucket_region(bucket: str) -> str:
    """Where a bucket lies, in lower case, such as `europe-west4`, or `eu` for several regions.

    Args:
        bucket: its name.

    Raises:
        MissingError: when there is no such bucket.
        AccessError: when the credentials may not ask.
        UnavailableError: when there are no credentials, or the service cannot be reached.
    """
    with translated(f"cannot ask where gs://{bucket} lies", "Storage Legacy Bucket Reader"), make_client() as client:
        location: str = client.get_bucket(bucket, **patience()).location
        return location.lower()


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
    """Where what a URI names lies on the local disk, under the same name."""
    key = hashlib.sha256(f"{kind} {uri}".encode()).hexdigest()[:32]
    return cache_directory("buckets") / key / (PurePosixPath(uri).name[-_LONGEST_NAME:] or "object")


def _bring(directory: BucketDirectory, name: str, facts: StoredObject, path: Path) -> None:
    """Brings an object unless its content is there already."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == facts.size and crc32c(path) == facts.crc32c:
            return
    directory.download(name, path)
