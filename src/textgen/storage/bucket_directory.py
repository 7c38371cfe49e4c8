"""Lists, reads, writes and removes the objects in one directory of a bucket.

A write names the generation that it replaces (Cloud Storage's documentation, "Request preconditions"). So two processes
never overwrite each other's objects without noticing, and a request whose answer was lost can be repeated.
"""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from textgen.errors import InputOutputError, LockedError, MissingError, from_os_error
from textgen.storage.bucket_names import below, can_be_local, split_directory
from textgen.storage.files import make_directory, open_atomic
from textgen.storage.service import make_client, request_options, translated

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

NOT_THERE = 0
"""The generation of an object that does not exist."""

_READER = "Storage Object Viewer"
_WRITER = "Storage Object User"


class RemovedError(MissingError):
    """The object that a write was to replace has been removed."""


@dataclass(frozen=True)
class StoredObject:
    """The properties of an object.

    Attributes:
        size: in bytes.
        generation: a number that grows with each write.
        crc32c: the checksum of its bytes, in base64.
    """

    size: int
    generation: int
    crc32c: str


class BucketDirectory:
    """A directory of a bucket; a context manager that closes its connection.

    Only one thread may use it at a time. Names of objects are relative to the directory. Every method can also raise an
    `AccessError` if the credentials do not allow the request, an `UnavailableError` if there are no credentials or the
    service cannot be reached for a minute, and a `MissingError` if the bucket does not exist.

    Args:
        uri: `gs://BUCKET/PATH`, or `gs://BUCKET`.

    Raises:
        UsageError: for an invalid URI.
    """

    def __init__(self, uri: str) -> None:
        self._bucket_name, self._prefix = split_directory(uri)
        self.uri = uri.rstrip("/")
        self._connected: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def list(self) -> dict[str, StoredObject]:
        """Returns the objects by name, sorted; leaves out names that no file in a local directory can have."""
        with translated(f"cannot list {self.uri}", _READER):
            blobs = self._client.list_blobs(self._bucket_name, prefix=self._prefix, **request_options())
            found = {blob.name.removeprefix(self._prefix): _facts(blob) for blob in blobs}
        return {name: found[name] for name in sorted(found) if can_be_local(name)}

    def find(self, name: str) -> StoredObject | None:
        """Returns the properties of an object, or None if the object or the bucket does not exist."""
        with translated(f"cannot read {below(self.uri, name)}", _READER):
            blob = self._bucket.get_blob(self._prefix + name, **request_options())
            return None if blob is None else _facts(blob)

    def read(self, name: str) -> tuple[bytes, StoredObject] | None:
        """Returns the bytes and properties of a small object, or None if it does not exist."""
        with _reading(below(self.uri, name)):
            blob = self._bucket.get_blob(self._prefix + name, **request_options())
            if blob is None:
                return None
            return blob.download_as_bytes(if_generation_match=blob.generation, **request_options()), _facts(blob)

    def download(self, name: str, path: Path) -> None:
        """Downloads an object to a local file, atomically, and checks it against the service's checksum.

        Raises:
            MissingError: if it does not exist.
            InputOutputError: if it arrived damaged, or the disk fails.
        """
        make_directory(path.parent)
        # Translated inside, because open_atomic takes every OSError for the disk's, and some are the network's.
        with open_atomic(path) as file, _reading(below(self.uri, name)):
            self._bucket.blob(self._prefix + name).download_to_file(file, **request_options())

    def download_part(self, name: str, path: Path, begin: int, end: int) -> None:
        """Downloads some bytes of an object to a local file, atomically.

        Args:
            name: the object's name.
            path: the file.
            begin: the position of the first byte.
            end: the position after the last byte.

        Raises:
            MissingError: if it does not exist.
            InputOutputError: if it has fewer bytes, or the disk fails.
        """
        make_directory(path.parent)
        with open_atomic(path) as file, _reading(below(self.uri, name)):
            self._bucket.blob(self._prefix + name).download_to_file(file, start=begin, end=end - 1, **request_options())
            if file.tell() != end - begin:
                raise InputOutputError(
                    f"{below(self.uri, name)} arrived damaged: {file.tell():,} bytes instead of {end - begin:,}; try again"
                )

    def write(self, name: str, content: bytes, generation: int) -> StoredObject:
        """Writes an object in place of one of its generations.

        Args:
            name: the object's name.
            content: its bytes.
            generation: the generation to replace; `NOT_THERE` for a new object.

        Returns:
            Its new properties.

        Raises:
            LockedError: if another process has written it meanwhile.
            RemovedError: if somebody else has removed it meanwhile.
        """
        return self._write(name, io.BytesIO(content), len(content), generation)

    def upload(self, name: str, path: Path, generation: int) -> StoredObject | None:
        """Writes a file's bytes to an object, as `write` does; bytes that are added to the file meanwhile are left out.

        Returns:
            Its new properties, or None if the file no longer exists.

        Raises:
            LockedError, RemovedError: as `write`.
            TextgenError: if the file cannot be read.
        """
        try:
            with path.open("rb") as file:
                return self._write(name, file, path.stat().st_size, generation)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, f"cannot read {path}") from error

    def remove(self, name: str, generation: int) -> None:
        """Removes a generation of an object; does nothing if it is already gone.

        Raises:
            LockedError: if another process has written it meanwhile.
        """
        from google.api_core.exceptions import NotFound, PreconditionFailed

        uri = below(self.uri, name)
        with translated(f"cannot remove {uri}", _WRITER):
            try:
                self._bucket.blob(self._prefix + name).delete(if_generation_match=generation, **request_options())
            except NotFound:
                return
            except PreconditionFailed as error:
                if self.find(name) is not None:
                    raise _changed(uri) from error

    def copy(self, name: str, target: BucketDirectory) -> None:
        """Copies an object within the service to the same name in another directory, unless that object exists."""
        from google.api_core.exceptions import PreconditionFailed

        with (
            translated(f"cannot copy {below(self.uri, name)} to {target.uri}", _WRITER),
            contextlib.suppress(PreconditionFailed),
        ):
            self._bucket.copy_blob(
                self._bucket.blob(self._prefix + name),
                target._bucket,
                target._prefix + name,
                if_generation_match=NOT_THERE,
                **request_options(),
            )

    @property
    def _client(self) -> Client:
        """The client, created on first use, where its errors are translated."""
        if self._connected is None:
            self._connected = make_client()
        return self._connected

    @property
    def _bucket(self) -> Bucket:
        return self._client.bucket(self._bucket_name)

    def _write(self, name: str, file: BinaryIO, size: int, generation: int) -> StoredObject:
        from google.api_core.exceptions import PreconditionFailed

        uri = below(self.uri, name)
        with translated(f"cannot write {uri}", _WRITER):
            blob = self._bucket.blob(self._prefix + name)
            try:
                blob.upload_from_file(file, size=size, if_generation_match=generation, **request_options())
            except PreconditionFailed as error:
                there = self.find(name)
                if there is None and generation != NOT_THERE:
                    raise RemovedError(f"cannot write {uri}: somebody has removed it meanwhile; try again") from error
                # This may be our own write: the library repeats a request whose answer was lost.
                file.seek(0)
                if there is None or there.generation == generation or there.crc32c != _crc32c(file, size):
                    raise _changed(uri) from error
                return there
            return _facts(blob)


@contextlib.contextmanager
def _reading(uri: str) -> Iterator[None]:
    """Translates errors as `translated`, and also that of the library if the bytes do not have the service's checksum."""
    from google.cloud.storage.exceptions import DataCorruption

    with translated(f"cannot read {uri}", _READER):
        try:
            yield
        except DataCorruption as error:
            raise InputOutputError(f"cannot read {uri}: it arrived damaged; try again") from error


def crc32c(path: Path) -> str:
    """Computes a file's checksum in the service's form: CRC-32C (RFC 3720, section 12.1), big-endian, in base64.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        return _crc32c(file, path.stat().st_size)


def _crc32c(file: BinaryIO, size: int) -> str:
    from google_crc32c import Checksum

    checksum, left = Checksum(), size
    while left > 0 and (block := file.read(min(left, 1 << 20))):
        checksum.update(block)
        left -= len(block)
    return encode_checksum(checksum.digest())


def encode_checksum(digest: bytes) -> str:
    """Returns the digest of a CRC-32C in the service's form, base64."""
    return base64.b64encode(digest).decode()


def _facts(blob: Blob) -> StoredObject:
    return StoredObject(blob.size, blob.generation, blob.crc32c)


def _changed(uri: str) -> LockedError:
    return LockedError(
        f"another process has written {uri} meanwhile, so this one stops; make sure that only one works there"
    )
