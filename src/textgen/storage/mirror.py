"""Uploads local files to a directory of a bucket in the background, as they change.

A failed upload is tried again a little later, so an outage of the network or the service only delays it. A missing permission
does not come back by itself: after five minutes of refusals the uploads end, and the work with them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from textgen.errors import AccessError, InputOutputError, LockedError, TextgenError, from_os_error
from textgen.signals import start_thread
from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, RemovedError, StoredObject, crc32c

_INTERVAL_SECONDS = 2.0
"""The time between two scans of the files."""

_LAST_PATIENCE_SECONDS = 600.0
"""How long the last uploads are tried at the end."""

_REFUSAL_SECONDS = 300.0
"""How long refused uploads are tried."""


@dataclass(frozen=True)
class Upload:
    """An object and the content that it should have.

    Attributes:
        name: the object's name.
        content: a file; or bytes, if it matters when they were read.
    """

    name: str
    content: Path | bytes


class Mirror:
    """A context manager: inside it, a thread uploads new data. At its end the rest is uploaded, except after Ctrl-C.

    An object that somebody removes is uploaded again with the next change.

    Args:
        uri: the directory in the bucket.
        scan: returns what the directory should contain, in the order of uploading; called in the thread.
        disposable: whether an object of this name is removed when `scan` no longer returns it.
        check: called before anything is written; a LockedError from it ends the uploads.
        warn: called in the thread with one line when uploads are delayed, and when they resume.
        lost: called in the thread with the error to end with, if uploads end before the body does.
        advice: what to do if the rest cannot be uploaded.

    Raises:
        AccessError: at the end, if uploads have been refused for five minutes.
        InputOutputError: at the end, if the rest could not be uploaded for ten minutes.
        LockedError: at the end, if another process has written there.
        TextgenError: as `BucketDirectory`.
    """

    def __init__(
        self,
        uri: str,
        scan: Callable[[], Iterable[Upload]],
        *,
        disposable: Callable[[str], bool] = lambda _: False,
        check: Callable[[], None] = lambda: None,
        warn: Callable[[str], None],
        lost: Callable[[TextgenError], None],
        advice: str,
    ) -> None:
        self._directory = BucketDirectory(uri)
        self._scan = scan
        self._disposable = disposable
        self._check = check
        self._warn = warn
        self._lost = lost
        self._advice = advice
        self._objects: dict[str, StoredObject] = {}
        self._uploaded: dict[str, object] = {}
        self._problem = ""
        self._refused_since: float | None = None
        self._is_abandoned = False
        self._failure: TextgenError | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._directory)
            self._objects = self._directory.list()
            start_thread(self._thread)
            self._close = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_abandoned = kind is KeyboardInterrupt
        self._end.set()
        if self._is_abandoned:
            return
        with self._close:
            self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure
        if self._failure is not None and self._failure is not error and not isinstance(self._failure, LockedError):
            self._warn(str(self._failure))

    def _run(self) -> None:
        try:
            while not self._end.wait(_INTERVAL_SECONDS):
                self._try()
            if not self._is_abandoned:
                self._finish()
        except TextgenError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - uploads must not end unnoticed
            self._failure = InputOutputError(f"{self._describe(error)}; {self._advice}")
        if self._failure is not None and not self._end.is_set():
            self._lost(self._failure)

    def _finish(self) -> None:
        """Uploads the rest, repeatedly if necessary."""
        end = time.monotonic() + _LAST_PATIENCE_SECONDS
        while (failure := self._try()) is not None:
            if time.monotonic() > end:
                raise InputOutputError(f"{failure}; {self._advice}")
            time.sleep(_INTERVAL_SECONDS)

    def _try(self) -> TextgenError | None:
        """Uploads new data.

        Returns:
            Why some of it is not uploaded yet, or None if all of it is.

        Raises:
            LockedError: if another process has written there.
            AccessError: if uploads have been refused for five minutes.
        """
        try:
            self._update()
        except LockedError:
            raise
        except RemovedError as error:  # since `_forget_removed`; the next try uploads it again
            return error
        except Exception as error:  # noqa: BLE001 - uploads must not end unnoticed
            failure = error if isinstance(error, TextgenError) else InputOutputError(self._describe(error))
            self._note(failure)
            return failure
        self._refused_since = None
        if self._problem:
            self._warn(f"uploads to {self._directory.uri} have resumed")
        self._problem = ""
        return None

    def _note(self, failure: TextgenError) -> None:
        """Warns of a failure, once for each kind.

        Raises:
            AccessError: if uploads have been refused for five minutes.
        """
        now, minutes = time.monotonic(), _REFUSAL_SECONDS / 60
        if not isinstance(failure, AccessError):
            self._refused_since = None
            problem = "are delayed, nothing is lost"
        else:
            self._refused_since = now if self._refused_since is None else self._refused_since
            if now - self._refused_since >= _REFUSAL_SECONDS:
                raise AccessError(
                    f"uploads have been refused for {minutes:.0f} minutes: {failure}; {self._advice}"
                ) from failure
            problem = f"are refused, and after {minutes:.0f} minutes of that this run stops"
        if problem != self._problem and not self._is_abandoned:
            self._warn(f"uploads to {self._directory.uri} {problem}: {failure}")
        self._problem = problem

    def _describe(self, error: Exception) -> str:
        return f"cannot upload to {self._directory.uri} ({type(error).__name__}: {error})"

    def _update(self) -> None:
        """Uploads what has changed or somebody else has removed, then removes the objects whose files are gone."""
        uploads = list(self._scan())
        names = {upload.name for upload in uploads}
        if not any(map(self._differs, uploads)) and not self._gone(names):
            return
        self._check()
        self._forget_removed()
        for upload in filter(self._differs, uploads):
            self._upload(upload)
        for name in self._gone(names):
            self._directory.remove(name, self._generation(name))
            del self._objects[name]

    def _gone(self, names: Collection[str]) -> list[str]:
        """The disposable objects whose files are gone, sorted.

        There are none without a successor: if all such files are gone, somebody has emptied the local directory.
        """
        if not any(map(self._disposable, names)):
            return []
        return sorted(name for name in self._objects if self._disposable(name) and name not in names)

    def _upload(self, upload: Upload) -> None:
        name, content, version = upload.name, upload.content, _version_of(upload.content)
        written: StoredObject | None
        if isinstance(content, bytes):
            written = self._directory.write(name, content, self._generation(name))
        else:
            written = self._directory.upload(name, content, self._generation(name))
        if written is not None:  # None if the file has been removed meanwhile
            self._objects[name] = written
            self._uploaded[name] = version

    def _forget_removed(self) -> None:
        """Forgets the objects that somebody else has removed, so that they are uploaded again."""
        for name in self._objects.keys() - self._directory.list().keys():
            del self._objects[name]
            self._uploaded.pop(name, None)

    def _generation(self, name: str) -> int:
        return self._objects[name].generation if name in self._objects else NOT_THERE

    def _differs(self, upload: Upload) -> bool:
        """Whether a file may differ from its object; its bytes are read only if nothing else decides."""
        name, version = upload.name, _version_of(upload.content)
        if version is None or version == self._uploaded.get(name):
            return False
        if name in self._uploaded or name not in self._objects or isinstance(upload.content, bytes):
            return True
        with contextlib.suppress(OSError):
            if crc32c(upload.content) == self._objects[name].crc32c:
                self._uploaded[name] = version
                return False
        return True


def _version_of(content: Path | bytes) -> object:
    """A value that changes with the content, found without reading the file; None if the file does not exist."""
    if isinstance(content, bytes):
        return content
    try:
        found = content.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, f"cannot look at {content}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns
