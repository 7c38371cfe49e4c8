"""A lease on a directory of a bucket, for one holder at a time.

The object `lock` names its holder, who rewrites it every third of the lease, each time replacing the generation it wrote
before. If a generation stays unchanged for a whole lease, the holder is gone, and another takes over by replacing exactly
that generation; no clocks are compared. The holder never removes the object, because it also records whose local copy of
the directory is the newest. If somebody else removes it, the holder writes it again.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Self

from textgen.console import visible
from textgen.errors import InputOutputError, LockedError, TextgenError, named
from textgen.formatting import shorten
from textgen.signals import start_thread
from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, RemovedError
from textgen.storage.files import parse_object

LOCK = "lock"

_LEASE_SECONDS = 60.0
_RENEWALS = 3
"""Per lease."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        name: a name that stays the same after a restart, so that the lease is taken over at once; empty if only the
            local copy identifies the holder.
        copy: the name of its local copy of the directory, which nobody else uses; empty if it has none.
        description: its description, for people.
        held: whether it holds the lease now.
    """

    name: str
    copy: str
    description: str
    held: bool = True


class Lease:
    """A context manager: inside it, this process holds the lease, and a thread renews it.

    Args:
        uri: the directory.
        holder: this process.
        waiting: called with one line before waiting for another holder's lease to expire.
        lost: called in that thread, with the error to end with, if another has taken over or the thread has failed.

    Attributes:
        has_newest_copy: whether this holder's local copy is also that of the last holder, and so the newest.

    Raises:
        LockedError: if another holds the lease, and renews it.
        TextgenError: as `BucketDirectory`.
    """

    def __init__(
        self, uri: str, holder: Holder, waiting: Callable[[str], None], lost: Callable[[TextgenError], None]
    ) -> None:
        self.has_newest_copy = False
        self._directory = BucketDirectory(uri)
        self._holder = holder
        self._waiting = waiting
        self._lost = lost
        self._generation = NOT_THERE
        self._writing = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._directory)
            self._take()
            start_thread(self._thread)
            self._close = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if kind is KeyboardInterrupt:  # the process ends at once, and the lease expires
            return
        self._thread.join()
        with self._close, contextlib.suppress(TextgenError):  # then the next holder has to wait until it expires
            self._write(held=False)

    @property
    def copy(self) -> str:
        """The name of this holder's local copy; a new name unless `has_newest_copy`."""
        return self._holder.copy

    def renew(self) -> None:
        """Renews the lease.

        Raises:
            LockedError: if another process has taken it over.
            TextgenError: as `BucketDirectory`; this process may still hold it.
        """
        self._write(held=True)

    @staticmethod
    def check(uri: str, waiting: Callable[[str], None]) -> None:
        """Checks that nobody holds the lease; does not take it.

        Args:
            uri: the directory.
            waiting: as for the class.

        Raises:
            LockedError: if somebody holds the lease, and renews it.
            TextgenError: as `BucketDirectory`.
        """
        lease = Lease(uri, Holder(name="", copy="", description=""), waiting, lost=lambda _: None)
        with lease._directory:
            found = lease._directory.read(LOCK)
            if found is not None and (holder := _parse(found[0])).held:
                lease._wait(found[1].generation, holder.description)

    def _take(self) -> None:
        found = self._directory.read(LOCK)
        if found is not None:
            content, facts = found
            before = _parse(content)
            self.has_newest_copy = bool(before.copy) and before.copy == self._holder.copy
            is_same = self.has_newest_copy or (bool(before.name) and before.name == self._holder.name)
            self._generation = facts.generation
            if before.held and not is_same:
                self._generation = self._wait(facts.generation, before.description)
        if not self.has_newest_copy:
            self._holder = replace(self._holder, copy=uuid.uuid4().hex)
        self.renew()

    def _wait(self, generation: int, other: str) -> int:
        """Waits until a lease has expired or is given back, and returns the generation that the object then has."""
        place = self._directory.uri
        other = shorten(str(other))  # anyone who can write to the bucket may have written it
        self._waiting(f"waiting up to {_LEASE_SECONDS:.0f} seconds for {other}, who may still work in {place}")
        end = time.monotonic() + _LEASE_SECONDS
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LEASE_SECONDS / _RENEWALS))
            found = self._directory.read(LOCK)
            if found is None:
                return NOT_THERE
            content, facts = found
            if facts.generation == generation:
                continue
            if not _parse(content).held:
                return facts.generation
            raise LockedError(
                f"another trainer works in {place}: {other}; wait for its end or stop it, or name another {named('job_dir')}"
            )
        return generation

    def _keep(self) -> None:
        while not self._end.wait(_LEASE_SECONDS / _RENEWALS):
            try:
                self.renew()
            except LockedError as error:
                self._lost(error)
                return
            except TextgenError:  # if another takes over during an outage, the next renewal notices
                continue
            except Exception as error:  # noqa: BLE001 - the lease must not expire unnoticed
                cause = f"{type(error).__name__}: {error}"
                self._lost(
                    InputOutputError(
                        f"cannot renew the lease on {self._directory.uri} ({cause}); train again to resume"
                    )
                )
                return

    def _write(self, *, held: bool) -> None:
        content = json.dumps(asdict(replace(self._holder, held=held))).encode()
        with self._writing:
            try:
                written = self._directory.write(LOCK, content, self._generation)
            except RemovedError:
                written = self._directory.write(LOCK, content, NOT_THERE)
            self._generation = written.generation


def _parse(content: bytes) -> Holder:
    """Reads the holder from a lock, with a description of one line; if the lock is damaged, nobody holds it."""
    try:
        holder = Holder(**(parse_object(content) or {}))
        return replace(holder, description=visible(shorten(str(holder.description))))
    except (TypeError, RecursionError):  # what is no text may be nested too deeply to be shown
        return Holder(name="", copy="", description="somebody unknown", held=False)
