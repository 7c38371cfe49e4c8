"""The objects below one place of a bucket: lists, reads, writes and removes them; knows nothing of what is in them.

A write names the generation that it replaces (Cloud Storage's documentation, "Request preconditions"). So two processes
never overwrite each other's objects unseen, and a request can be repeated whose answer was lost.
"""

from __future__ import annotations

import base64
import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from textgen.errors import LockedError, from_os_error
from textgen.storage.files import make_directory, open_atomic
from textgen.storage.service import make_client, patience, translated
from textgen.storage.uris import below, split_directory

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

NOT_THERE = 0
"""The generation of an object that does not exist."""

_READER = "Storage Object Viewer"
_WRITER = "Storage Object User"


@dataclass(frozen=True)
class StoredObject:
    """What a bucket says of an object.

    Attributes:
        size: in bytes.
        generation: a number that each write makes larger.
        crc32c: of its bytes, in base64.
    """

    size: int
    generation: int
    crc32c: str


class BucketDirectory:
    """A place of a bucket; to be entered, for its connection.

    Used by one thread at a time. Names of objects count from the place. A method raises, besides what it says, an
    `AccessError` when the credentials do not allow it, an `UnavailableError` when there are none or the service cannot be
    reached for a minute, and a `MissingError` when there is no such bucket.

    Args:
        uri: `gs://BUCKET/PATH`, or `gs://BUCKET`.

    Raises:
        UsageError: for a URI that cannot be.
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
        """The objects below, by name, sorted; without those whose name would lead out of a local directory."""
        with translated(f"cannot list {self.uri}", _READER):
            blobs = self._client.list_blobs(self._bucket_name, prefix=self._prefix, **patience())
            found = {blob.name.removeprefix(self._prefix): _facts(blob) for blob in blobs}
        return {name: found[name] for name in sorted(found) if _stays_inside(name)}

    def find(self, name: str) -> StoredObject | None:
        """What a single object is; None when it is not there, or there is no such bucket."""
        with translated(f"cannot read {below(self.uri, name)}", _READER):
            blob = self._bucket.get_blob(self._prefix + name, **patience())
            return None if blob is None else _facts(blob)

    def read(self, name: str) -> tuple[bytes, StoredObject] | None:
        """The bytes of a small object; None when it is not there."""
        with translated(f"cannot read {below(self.uri, name)}", _READER):
            blob = self._bucket.get_blob(self._prefix + name, **patience())
            if blob is None:
                return None
            return blob.download_as_bytes(if_generation_match=blob.generation, **patience()), _facts(blob)

    def download(self, name: str, path: Path) -> None:
        """Writes an object's bytes to a local file, whole or not at all, checked against the service's checksum.

        Raises:
            MissingError: when it is not there.
            InputOutputError: when what arrived is damaged, or the disk fails.
        """
        make_directory(path.parent)
        doing = f"cannot read {below(self.uri, name)}"
        # Translated inside: open_atomic takes every OSError for one of the disk, and some of the network are such.
        with open_atomic(path) as file, translated(doing, _READER):
            self._bucket.blob(self._prefix + name).download_to_file(file, **patience())

    def write(self, name: str, content: bytes, generation: int) -> StoredObject:
        """Writes an object over a generation of it.

        Args:
            name: of the object.
            content: its bytes.
            generation: that it replaces; `NOT_THERE` for a new object.

        Returns:
            What it is now.

        Raises:
            LockedError: when somebody else has written it meanwhile.
        """
        return self._write(name, io.BytesIO(content), len(content), generation)

    def upload(self, name: str, path: Path, generation: int) -> StoredObject | None:
        """Writes a file's bytes to an object, as `write` does; what is added to the file meanwhile is left out.

        Returns:
            What it is now; None when there is no such file any more.

        Raises:
            LockedError: when somebody else has written it meanwhile.
            TextgenError: when the file cannot be read.
        """
        try:
            with path.open("rb") as file:
                return self._write(name, file, path.stat().st_size, generation)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, f"cannot read {path}") from error

    def remove(self, name: str, generation: int) -> None:
        """Removes a generation of an object; one that is gone already is no failure.

        Raises:
            LockedError: when somebody else has written it meanwhile.
        """
        from google.api_core.exceptions import NotFound, PreconditionFailed

        uri = below(self.uri, name)
        with translated(f"cannot remove {uri}", _WRITER):
            try:
                self._bucket.blob(self._prefix + name).delete(if_generation_match=generation, **patience())
            except NotFound:
                return
            except PreconditionFailed as error:
                if self.find(name) is not None:
                    raise _changed(uri) from error

    def copy(self, name: str, target: BucketDirectory) -> None:
        """Copies an object, within the service, to the same name in another place, unless it is there already."""
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
                **patience(),
            )

    @property
    def _client(self) -> Client:
        """Made when it is first used, where what it fails with is translated."""
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
                blob.upload_from_file(file, size=size, if_generation_match=generation, **patience())
            except PreconditionFailed as error:
                # Perhaps by ourselves: an answer that was lost makes the library send the request again.
                there = self.find(name)
                file.seek(0)
                if there is None or there.generation == generation or there.crc32c != _crc32c(file, size):
                    raise _changed(uri) from error
                return there
            return _facts(blob)


def crc32c(path: Path) -> str:
    """The checksum of a file as the service has it: CRC-32C (RFC 3720, section 12.1), big-endian, in base64.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return _crc32c(file, path.stat().st_size)


def _crc32c(file: BinaryIO, size: int) -> str:
    from google_crc32c import Checksum

    checksum, left = Checksum(), size
    while left > 0 and (block := file.read(min(left, 1 << 20))):
        checksum.update(block)
        left -= len(block)
    return base64.b64encode(checksum.digest()).decode()


def _stays_inside(name: str) -> bool:
    """Whether an object's name is a path below its directory; a bucket can hold any."""
    return all(part not in {"", ".", ".."} for part in name.split("/"))


def _facts(blob: Blob) -> StoredObject:
    return StoredObject(blob.size, blob.generation, blob.crc32c)


def _changed(uri: str) -> LockedError:
    return LockedError(
        f"another process has written {uri} meanwhile, so this one stops; see to it that only one works there"
    )
