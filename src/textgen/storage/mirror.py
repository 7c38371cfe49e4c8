"""Keeps a place of a bucket like local files, in the background; knows nothing of what they are.

What the network or the service let down is tried again a little later: an outage delays uploads, and nothing else.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from textgen.errors import InputOutputError, LockedError, TextgenError, from_os_error
from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject, crc32c

_INTERVAL_SECONDS = 2.0
"""Between two looks at the files."""

_LAST_PATIENCE_SECONDS = 600.0
"""How long the last uploads are tried."""


@dataclass(frozen=True)
class Upload:
    """An object that is to be like a file.

    Attributes:
        name: of the object.
        content: the file; or bytes read before, where it matters when.
    """

    name: str
    content: Path | bytes


class Mirror:
    """While entered, a thread uploads what is new; when the body has ended, the rest, but at once after a KeyboardInterrupt.

    Args:
        uri: the place of the bucket.
        scan: what is to be there, in the order in which it is to arrive; called in the thread.
        disposable: says of an object's name whether it goes when `scan` no longer has it.
        check: called before anything is written; a LockedError of it ends all.
        warn: called in the thread with one line when uploads are delayed, and when they go on.
        lost: called in the thread with what to end with when another process writes there too.
        advice: what to do when the rest cannot be uploaded.

    Raises:
        InputOutputError: at the end, when the rest cannot be uploaded for ten minutes.
        LockedError: at the end, when another process has written there.
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
        self._there: dict[str, StoredObject] = {}
        self._uploaded: dict[str, object] = {}
        self._delayed = False
        self._is_abandoned = False
        self._failure: TextgenError | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._directory)
            self._there = self._directory.list()
            self._thread.start()
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
        if self._failure is not None and not isinstance(self._failure, LockedError):
            self._warn(str(self._failure))

    def _run(self) -> None:
        try:
            while not self._end.wait(_INTERVAL_SECONDS):
                self._try()
            if self._is_abandoned:
                return
        except LockedError as error:
            self._failure = error
            self._lost(error)
            return
        self._finish()

    def _finish(self) -> None:
        """Uploads the rest, if need be again and again."""
        end = time.monotonic() + _LAST_PATIENCE_SECONDS
        try:
            while (failure := self._try()) is not None:
                if time.monotonic() > end:
                    self._failure = InputOutputError(f"{failure}; {self._advice}")
                    return
                time.sleep(_INTERVAL_SECONDS)
        except LockedError as error:
            self._failure = error

    def _try(self) -> TextgenError | None:
        """Uploads what is new as far as it goes; what it fails with, but for a LockedError."""
        try:
            self._update()
        except LockedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it may not end the uploads unseen
            if not isinstance(error, TextgenError):
                error = InputOutputError(f"cannot look for uploads: {type(error).__name__}: {error}")
            if not self._delayed and not self._is_abandoned:
                self._warn(f"uploads to {self._directory.uri} wait, nothing is lost: {error}")
            self._delayed = True
            return error
        if self._delayed:
            self._warn(f"uploads to {self._directory.uri} go on")
        self._delayed = False
        return None

    def _update(self) -> None:
        """Uploads what has changed, then removes what is gone."""
        uploads = list(self._scan())
        changed = [upload for upload in uploads if self._differs(upload)]
        names = {upload.name for upload in uploads}
        # Nothing goes without a successor: if all are gone, somebody has emptied the local directory.
        replaced = any(map(self._disposable, names))
        gone = {name for name in self._there if replaced and self._disposable(name)} - names
        if not changed and not gone:
            return
        self._check()
        for upload in changed:
            self._upload(upload)
        for name in sorted(gone):
            self._directory.remove(name, self._generation(name))
            del self._there[name]

    def _upload(self, upload: Upload) -> None:
        name, content, mark = upload.name, upload.content, _mark(upload.content)
        written: StoredObject | None
        if isinstance(content, bytes):
            written = self._directory.write(name, content, self._generation(name))
        else:
            written = self._directory.upload(name, content, self._generation(name))
        if written is not None:  # None when the file has gone meanwhile
            self._there[name] = written
            self._uploaded[name] = mark

    def _generation(self, name: str) -> int:
        return self._there[name].generation if name in self._there else NOT_THERE

    def _differs(self, upload: Upload) -> bool:
        """Whether an object is not like its file, as far as the file has been looked at."""
        name, mark = upload.name, _mark(upload.content)
        if mark is None or mark == self._uploaded.get(name):
            return False
        if name in self._uploaded or name not in self._there or isinstance(upload.content, bytes):
            return True
        with contextlib.suppress(OSError):
            if crc32c(upload.content) == self._there[name].crc32c:
                self._uploaded[name] = mark
                return False
        return True


def _mark(content: Path | bytes) -> object:
    """What tells a content from another without reading the file; None for a file that is gone."""
    if isinstance(content, bytes):
        return content
    try:
        found = content.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, f"cannot look at {content}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns
