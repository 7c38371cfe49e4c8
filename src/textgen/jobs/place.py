"""Where a job lives, on this machine or in a bucket, behind one face; knows nothing of training.

A job in a bucket has a local copy, in which a trainer works as in any job directory, while the bucket follows. Files
arrive there in the order in which a trainer writes them, so that what the bucket holds at any moment is what a kill could
have left on a disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from textgen.errors import TextgenError, from_os_error
from textgen.jobs.directory import JobDirectory
from textgen.jobs.lock import job_lock
from textgen.storage import (
    BucketDirectory,
    Holder,
    Lease,
    Mirror,
    Upload,
    cache_directory,
    fetch_directory,
    find,
    is_bucket,
    read_text,
    write_atomic,
)

_LOCK = "lock"
_CHECKPOINTS = "checkpoints/"


@dataclass(frozen=True)
class Events:
    """What is told of a job in a bucket while somebody works there.

    Attributes:
        say: one line of what goes on.
        warn: one line of what is not as it should be.
        lost: in another thread, what to end with when another trainer has taken the job over.
        finish: when only the last uploads are left, which a signal is not to break off.
    """

    say: Callable[[str], None]
    warn: Callable[[str], None]
    lost: Callable[[TextgenError], None]
    finish: Callable[[], None]


class JobPlace(Protocol):
    """Where a job lives."""

    def look(self) -> JobDirectory:
        """The job as it is, to be read only, perhaps without checkpoints, samples and model.

        Raises:
            TextgenError: when it cannot be read.
        """

    def open(self, events: Events) -> contextlib.AbstractContextManager[JobDirectory]:
        """Keeps other trainers out and gives the directory to work in.

        Raises:
            LockedError: when another trainer works there.
            TextgenError: when it cannot be read or written.
        """

    def move_aside(self, events: Events) -> str | None:
        """Gives the job another name, the first free of `NAME.1`, `NAME.2` and so on.

        Returns:
            The new place; None when there was nothing to move.

        Raises:
            UsageError: when something there is no part of the job.
            LockedError: when another trainer works there.
            TextgenError: when it cannot be moved.
        """


@dataclass(frozen=True)
class LocalPlace:
    """A job on this machine.

    Attributes:
        job: its directory.
    """

    job: JobDirectory

    def look(self) -> JobDirectory:
        """As `JobPlace`."""
        return self.job

    @contextlib.contextmanager
    def open(self, events: Events) -> Iterator[JobDirectory]:
        """As `JobPlace`."""
        with job_lock(self.job, events.warn):
            yield self.job

    def move_aside(self, events: Events) -> str | None:
        """As `JobPlace`."""
        with job_lock(self.job, events.warn):  # which goes with the old job
            aside = self.job.move_aside()
        return None if aside is None else str(aside)


@dataclass(frozen=True)
class BucketPlace:
    """A job in a bucket.

    Attributes:
        uri: its directory.
        worker: who works there, the same again after a restart; None for this copy of it on this machine.
    """

    uri: str
    worker: str | None = None

    def look(self) -> JobDirectory:
        """As `JobPlace`; reads no checkpoint."""
        job = self._directory("looks")
        kept = [path.relative_to(job.root).as_posix() for path in job.small_files]
        there = fetch_directory(self.uri, job.root, kept)
        for path in job.small_files:
            if path.relative_to(job.root).as_posix() not in there:
                path.unlink(missing_ok=True)
        return job

    @contextlib.contextmanager
    def open(self, events: Events) -> Iterator[JobDirectory]:
        """As `JobPlace`; when the body has ended, waits for the last uploads."""
        with self._held(events) as (job, lease):
            if not lease.goes_on:
                self._restore(job, lease, events)
            with self._mirror(job, lease, events):
                yield job
                events.finish()

    def move_aside(self, events: Events) -> str | None:
        """As `JobPlace`; copies within the bucket, then removes."""
        with self._held(events) as (job, lease), BucketDirectory(self.uri) as directory:
            if lease.goes_on:
                with self._mirror(job, lease, events):  # what an outage has kept here
                    pass
            there = {name: facts for name, facts in directory.list().items() if name != _LOCK}
            if not there:
                return None
            job.refuse_strangers({name.partition("/")[0] for name in there})
            aside = self._free_place()
            with BucketDirectory(aside) as target:
                for name in there:
                    directory.copy(name, target)
            config = job.config.relative_to(job.root).as_posix()
            for name in sorted(there, key=lambda name: name == config):  # what is left of it is a job to the end
                directory.remove(name, there[name].generation)
            self._forget(job)
        return aside

    @contextlib.contextmanager
    def _held(self, events: Events) -> Iterator[tuple[JobDirectory, Lease]]:
        """Locks the local copy, then the bucket's."""
        job = self._directory("jobs")
        with job_lock(job, events.warn):
            holder = Holder(
                name=self.worker or "",
                copy=read_text(self._copy) if self._copy.exists() else "",
                description=self.worker or f"process {os.getpid()} on {socket.gethostname()}",
            )
            with Lease(self.uri, holder, waiting=events.say, lost=events.lost) as lease:
                yield job, lease

    def _mirror(self, job: JobDirectory, lease: Lease, events: Events) -> Mirror:
        """What brings the local copy to the bucket."""
        return Mirror(
            self.uri,
            lambda: _scan(job),
            disposable=lambda name: name.startswith(_CHECKPOINTS),
            check=lease.renew,
            warn=events.warn,
            lost=events.lost,
            advice=f"it is all in {job.root}; run the same command again on this machine",
        )

    def _restore(self, job: JobDirectory, lease: Lease, events: Events) -> None:
        """Makes the local copy like the bucket's, which somebody else has changed since, or nobody here has seen."""
        self._forget(job)
        with BucketDirectory(self.uri) as directory:
            names = [name for name in directory.list() if _belongs(job, name)]
        if names:
            events.say(f"restoring {len(names)} files from {self.uri}")
        fetch_directory(self.uri, job.root, names)
        write_atomic(self._copy, lease.copy)

    def _forget(self, job: JobDirectory) -> None:
        """Removes the local copy, all but the lock."""
        try:
            self._copy.unlink(missing_ok=True)
            for path in job.root.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path != job.lock:
                    path.unlink()
        except OSError as error:
            raise from_os_error(error, f"cannot remove the local copy {job.root}") from error

    def _free_place(self) -> str:
        number = 1
        while True:
            place = f"{self.uri.rstrip('/')}.{number}"
            with BucketDirectory(place) as directory:
                if not directory.list():
                    return place
            number += 1

    @property
    def _copy(self) -> Path:
        """Names the local copy, while it is a whole one: the bucket says which is the newest."""
        return self._directory("jobs").root.with_name("copy")

    def _directory(self, kind: str) -> JobDirectory:
        uri = self.uri.rstrip("/")
        key = hashlib.sha256(uri.encode()).hexdigest()[:32]
        return JobDirectory(cache_directory(kind) / key / PurePosixPath(uri).name, uri)


def job_place(place: str, worker: str | None = None) -> JobPlace:
    """Where a job lives.

    Args:
        place: a path, or a URI that begins with `gs://`.
        worker: in a bucket, who works there, the same again after a restart; None where only this machine can tell.

    Raises:
        UsageError: for a URI that cannot be.
    """
    if not is_bucket(place):
        return LocalPlace(JobDirectory(Path(place)))
    return BucketPlace(BucketDirectory(place).uri, worker)


def _scan(job: JobDirectory) -> list[Upload]:
    """What is to be in the bucket, in the order in which a trainer writes it; read the other way round.

    So a file that is read while the trainer goes on can only be newer than what was read before, and what it counts on
    has arrived before it.
    """

    def upload(path: Path) -> Upload:
        return Upload(path.relative_to(job.root).as_posix(), path)

    state = None
    with contextlib.suppress(FileNotFoundError):
        state = job.state.read_bytes()
    checkpoints = find(job.checkpoints, "step-*")
    first = [path for path in (job.config, job.vocabulary, job.model, job.metrics, job.samples) if path.exists()]
    logs = [path for path in find(job.logs, "**/*") if path.is_file() and not path.name.startswith(".")]
    manifests_last = sorted(checkpoints, key=lambda path: (path.suffix == ".json", path))
    found = [upload(path) for path in (*first, *logs, *manifests_last)]
    if state is not None:
        found.append(Upload(job.state.relative_to(job.root).as_posix(), state))
    return found


def _belongs(job: JobDirectory, name: str) -> bool:
    """Whether an object is a file of a job that a trainer goes on with; TensorBoard's are not."""
    files = (*job.small_files, job.model, job.samples)
    return job.root / name in files or (name.startswith(_CHECKPOINTS) and name.count("/") == 1)
