"""Downloads objects of a bucket, and uploads local files to one, each of them once.

Objects are cached in one file for each of their contents, and folders in one directory for each of theirs. So what one
process reads is neither replaced nor removed by another, for which the bucket has changed meanwhile.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from textgen.config.cloud_names import SCHEME
from textgen.errors import DataError, InputOutputError, MissingError, from_os_error
from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject, crc32c, encode_checksum
from textgen.storage.bucket_names import below, check_local_name, find_collision, is_bucket, split
from textgen.storage.directories import cache_directory
from textgen.storage.files import make_directory, open_atomic, remove_old_temporaries, write_atomic

_LONGEST_NAME = 200
"""In bytes; of a longer name, which a local disk might refuse, the end is kept."""

_WILDCARD = re.compile(r"[*?[]")
_BLOCK = 1 << 20


def fetch(uri: str) -> Path:
    """Downloads an object, once for each content of it.

    Each call asks the service which content the object has now, and checks what arrives against the service's checksum.
    Without credentials the object is requested anonymously, which is enough for a public one. No project is needed.

    Args:
        uri: `gs://BUCKET/OBJECT`.

    Returns:
        The file in the cache, which has the object's name. It must not be changed.

    Raises:
        UsageError: for an invalid URI, or a name that no local file can have.
        MissingError: if the bucket or the object does not exist.
        AccessError: if the credentials do not allow it.
        UnavailableError: if there are no credentials and the object is not public, or the service cannot be reached for
            about a minute, or two if the connection breaks in the middle.
        InputOutputError: if the object arrived damaged, or the disk fails.
    """
    path = _fetch_if_there(uri)
    if path is None:
        raise MissingError(f"there is no {uri}; check the names of the bucket and of the file")
    return path


def fetch_part(uri: str, path: Path, begin: int, end: int) -> None:
    """Downloads some bytes of an object, unless a file has as many bytes already.

    Args:
        uri: the URI of the object, which is named by its content.
        path: the file, which is named by the object and the positions.
        begin: the position of the first byte.
        end: the position after the last byte.

    Raises:
        TextgenError: as `fetch`.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size == end - begin:
            return
    with _opened(uri) as (directory, name):
        directory.download_part(name, path, begin, end)


def fetch_argument(argument: str, choose: Callable[[str, Collection[str]], Collection[str]]) -> str:
    """Downloads what an argument names in a bucket: a file, a folder or a glob.

    Args:
        argument: starts with `gs://`.
        choose: chooses what to download from a folder or for a glob. It is called with the folder's URI and the names of
            the objects in and below it, relative to it.

    Returns:
        The path or glob that means the same in the cache; the names are those of the bucket.

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
    check_local_name(folder.rpartition("/")[2], folder)
    cache = _cache()
    with BucketDirectory(folder) as directory:
        there = directory.list()
        found = {name: there[name] for name in (choose(folder, there) if there else ())}
        if not found:
            raise MissingError(
                f"there is no {argument}, and no text below it; check the names of the bucket and of the file"
            )
        _refuse_collisions(directory, found)
        place = _cached(cache, folder, *(f"{name} {facts.crc32c}" for name, facts in sorted(found.items())))
        for name, facts in found.items():
            if not _is_here(facts, place / name):
                _link(_fetch_object(cache, directory, name, facts), place / name)
    return f"{glob.escape(str(place))}{pattern}" if pattern else str(place)


def fetch_directory(uri: str, place: Path, names: Iterable[str] | None = None) -> list[str]:
    """Downloads the objects in and below a directory of a bucket, except those that the local directory already has.

    Args:
        uri: the directory in the bucket.
        place: the local directory; created if missing. Its other files stay.
        names: the names of the objects to download; None for all.

    Returns:
        The names of those of them that exist; none if the directory does not exist.

    Raises:
        InputOutputError: if two of the objects would be one local file.
        TextgenError: as `fetch`.
    """
    remove_old_temporaries(place)
    with BucketDirectory(uri) as directory:
        found = directory.list()
        asked = found.keys() if names is None else set(names)
        wanted = {name: facts for name, facts in found.items() if name in asked}
        _refuse_collisions(directory, wanted)
        for name, facts in wanted.items():
            if not _is_here(facts, place / name):
                directory.download(name, place / name)
    return list(wanted)


@dataclass(frozen=True)
class Fingerprint:
    """Identifies the content of a file.

    Attributes:
        sha256: the hash of its bytes.
        crc32c: their checksum, as in `StoredObject`.
    """

    sha256: bytes
    crc32c: str

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Reads a file through once.

        Raises:
            TextgenError: if the file cannot be read.
        """
        from google_crc32c import Checksum

        sha256, checksum = hashlib.sha256(), Checksum()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    sha256.update(block)
                    checksum.update(block)
        except OSError as error:
            raise from_os_error(error, f"cannot read {path}") from error
        return cls(sha256.digest(), encode_checksum(checksum.digest()))


def name_by_content(files: Sequence[Fingerprint]) -> str:
    """Returns a short name for the content of files; other content has another name."""
    return hashlib.sha256(b"".join(file.sha256 for file in files)).hexdigest()[:16]


def upload_once(path: Path, uri: str, crc32c: str) -> None:
    """Uploads a file unless the object already has its content; for objects that are named by their content.

    Args:
        path: the file.
        uri: the URI of the object.
        crc32c: the checksum of the content that the name stands for, as in `Fingerprint`.

    Raises:
        DataError: if the file no longer has this content; the object is removed.
        TextgenError: see `BucketDirectory`, or if the file cannot be read.
    """
    with _opened(uri) as (directory, name):
        found = directory.find(name)
        if found is not None and found.crc32c == crc32c:
            return
        written = directory.upload(name, path, NOT_THERE if found is None else found.generation)
        if written is None:
            raise MissingError(f"{path} is gone; restore it and try again")
        if written.crc32c != crc32c:
            directory.remove(name, written.generation)
            raise DataError(f"{path} changed while it was uploaded; try again when nothing writes to it")


def copy_to(path: Path, place: str) -> None:
    """Copies a small file to a path or to an object of a bucket, and replaces what is there.

    Raises:
        TextgenError: if the file cannot be read or written.
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
    """Opens the bucket of an object; yields it with the object's name."""
    bucket, name = split(uri)
    with BucketDirectory(f"{SCHEME}{bucket}") as directory:
        yield directory, name


def _fetch_if_there(uri: str) -> Path | None:
    with _opened(uri) as (directory, name):
        facts = directory.find(name)
        return None if facts is None else _fetch_object(_cache(), directory, name, facts)


def _fetch_object(cache: Path, directory: BucketDirectory, name: str, facts: StoredObject) -> Path:
    """Returns the file in the cache that has the object's content; downloads it if it is not there yet."""
    path = _cached(cache, below(directory.uri, name), facts.crc32c)
    if not _is_here(facts, path):
        directory.download(name, path)
    return path


def _cache() -> Path:
    return cache_directory("buckets", expires=True)


def _cached(cache: Path, uri: str, *contents: str) -> Path:
    """The path in the cache for what a URI names while it has the given contents; ends in the same name."""
    name = check_local_name(uri.rstrip("/").rpartition("/")[2], uri)
    key = hashlib.sha256("\n".join([uri, *contents]).encode()).hexdigest()[:32]
    return cache / key / name.encode()[-_LONGEST_NAME:].decode(errors="ignore")


def _link(file: Path, path: Path) -> None:
    """Makes a second name for a file: a hard link, or a copy where the file system has no links."""
    make_directory(path.parent)
    with contextlib.suppress(OSError):
        path.hardlink_to(file)
        return
    try:
        with open_atomic(path) as copy, file.open("rb") as original:
            shutil.copyfileobj(original, copy)
    except OSError as error:
        raise from_os_error(error, f"cannot read {file}") from error


def _refuse_collisions(directory: BucketDirectory, names: Iterable[str]) -> None:
    """Checks that no two objects would be one local file.

    Raises:
        InputOutputError: if two would be.
    """
    if pair := find_collision(names):
        raise InputOutputError(
            f"{pair[0]} and {pair[1]} in {directory.uri} would be one file on this machine; rename one of them"
        )


def _is_here(facts: StoredObject, path: Path) -> bool:
    """Whether a local file has the content of an object."""
    with contextlib.suppress(OSError):
        return path.stat().st_size == facts.size and crc32c(path) == facts.crc32c
    return False
