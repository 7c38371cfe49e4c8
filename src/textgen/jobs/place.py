"""The place of a job, on this machine or in a bucket, behind one interface.

A job in a bucket has a local copy, in which a trainer works as in any job directory, while changes are uploaded. Files
arrive in the bucket in the order in which a trainer writes them, so the bucket always contains a state that a kill could
have left on a disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from textgen.errors import TextgenError, from_os_error
from textgen.jobs.directory import JobDirectory
from textgen.jobs.lock import job_lock, this_process
from textgen.storage import (
    BucketDirectory,
    Holder,
    Lease,
    Mirror,
    Upload,
    cache_directory,
    check_local_name,
    fetch_directory,
    find,
    is_bucket,
    read_text,
    state_path,
    write_atomic,
)

_COPY = "copy"
_KINDS = (".safetensors", ".json")
"""The suffixes of a checkpoint's two files."""


@dataclass(frozen=True)
class Events:
    """Functions that are called while a trainer works on a job in a bucket.

    Attributes:
        say: called with a line of information.
        warn: called with a line about a problem.
        lost: called in another thread, with the error to end with, if work cannot continue, for example because another
            trainer has taken the job over.
        finish: called when only the last uploads are left, which a signal should not interrupt.
    """

    say: Callable[[str], None]
    warn: Callable[[str], None]
    lost: Callable[[TextgenError], None]
    finish: Callable[[], None]


class JobPlace(Protocol):
    """The place of a job."""

    def look(self) -> JobDirectory:
        """Returns the job as it is now, for reading only, perhaps without checkpoints, samples and model.

        Raises:
            TextgenError: if it cannot be read.
        """

    def open(self, events: Events) -> contextlib.AbstractContextManager[JobDirectory]:
        """Locks the job, and yields the directory to work in.

        Raises:
            LockedError: if another trainer is using the job.
            TextgenError: if it cannot be read or written.
        """

    def move_aside(self, events: Events) -> str | None:
        """Renames the job to the first free of `NAME.1`, `NAME.2` and so on.

        Returns:
            The new place, or None if there was nothing to move.

        Raises:
            UsageError: if the directory also contains other things.
            LockedError: if another trainer is using the job.
            TextgenError: if it cannot be moved.
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
        with job_lock(self.job, events.warn):  # which moves with the old job
            aside = self.job.move_aside()
        return None if aside is None else str(aside)


@dataclass(frozen=True)
class BucketPlace:
    """A job in a bucket.

    Attributes:
        uri: its directory.
        worker: a name for this trainer that stays the same after a restart; None if only its local copy identifies it.
    """

    uri: str
    worker: str | None = None

    def look(self) -> JobDirectory:
        """As `JobPlace`; reads no checkpoint."""
        job = JobDirectory(cache_directory("looks") / self._key / self._name, self.uri)
        kept = [path.relative_to(job.root).as_posix() for path in job.small_files]
        there = fetch_directory(self.uri, job.root, kept)
        for path in job.small_files:
            if path.relative_to(job.root).as_posix() not in there:
                path.unlink(missing_ok=True)
        return job

    @contextlib.contextmanager
    def open(self, events: Events) -> Iterator[JobDirectory]:
        """As `JobPlace`; waits for the last uploads after the body."""
        with self._held(events) as (job, lease):
            if not lease.has_newest_copy:
                self._restore(job, lease, events)
            with self._mirror(job, lease, events):
                yield job
                events.finish()

    def move_aside(self, events: Events) -> str | None:
        """As `JobPlace`; copies the objects within the bucket, then removes them."""
        with self._held(events) as (job, lease), BucketDirectory(self.uri) as directory:
            if lease.has_newest_copy:
                with self._mirror(job, lease, events):  # uploads what an earlier outage has delayed
                    pass
            there = {name: facts for name, facts in directory.list().items() if name != job.lock.name}
            if not there:
                return None
            job.refuse_strangers({name.partition("/")[0] for name in there})
            aside = self._free_place()
            with BucketDirectory(aside) as target:
                for name in there:
                    directory.copy(name, target)
            config = job.config.relative_to(job.root).as_posix()
            for name in sorted(
                there, key=lambda name: name == config
            ):  # last, so that after a kill the rest can be moved again
                directory.remove(name, there[name].generation)
            self._forget(job)
        return aside

    @contextlib.contextmanager
    def _held(self, events: Events) -> Iterator[tuple[JobDirectory, Lease]]:
        """Locks the local copy, then the bucket."""
        place = state_path(f"jobs/{self._key}/{_COPY}").parent
        job = JobDirectory(place / self._name, self.uri)
        with job_lock(job, events.warn):
            copy = _copy_of(job)
            holder = Holder(
                name=self.worker or "",
                copy=read_text(copy) if copy.exists() else "",
                description=self.worker or this_process(),
            )
            with Lease(self.uri, holder, waiting=events.say, lost=events.lost) as lease:
                yield job, lease

    def _mirror(self, job: JobDirectory, lease: Lease, events: Events) -> Mirror:
        """The mirror that uploads the local copy."""
        return Mirror(
            self.uri,
            lambda: _scan(job),
            disposable=lambda name: name.startswith(f"{job.checkpoints.name}/"),
            check=lease.renew,
            warn=events.warn,
            lost=events.lost,
            advice=f"it is all in {job.root}; train again on this machine",
        )

    def _restore(self, job: JobDirectory, lease: Lease, events: Events) -> None:
        """Downloads the job, because the local copy is missing or no longer the newest."""
        self._forget(job)
        with BucketDirectory(self.uri) as directory:
            names = [name for name in directory.list() if _belongs(job, name)]
        if names:
            events.say(f"restoring {len(names)} files from {self.uri}")
        fetch_directory(self.uri, job.root, names)
        write_atomic(_copy_of(job), lease.copy)

    def _forget(self, job: JobDirectory) -> None:
        """Removes the local copy, except the lock."""
        try:
            _copy_of(job).unlink(missing_ok=True)
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
    def _key(self) -> str:
        """Names the directory of the local copy."""
        return hashlib.sha256(self.uri.encode()).hexdigest()[:32]

    @property
    def _name(self) -> str:
        return self.uri.rpartition("/")[2]


def _copy_of(job: JobDirectory) -> Path:
    """The file with the name of a local copy, which exists only while the copy is complete."""
    return job.root.with_name(_COPY)


def job_place(place: str, worker: str | None = None) -> JobPlace:
    """Returns the place of a job.

    Args:
        place: a path, or a URI that starts with `gs://`.
        worker: as `BucketPlace`.

    Raises:
        UsageError: for an invalid URI, or one whose name no local directory can have.
    """
    if not is_bucket(place):
        return LocalPlace(JobDirectory(Path(place)))
    uri = BucketDirectory(place).uri
    check_local_name(uri.rpartition("/")[2], uri)
    return BucketPlace(uri, worker)


def _scan(job: JobDirectory) -> list[Upload]:
    """Returns what the bucket should contain, in the order in which a trainer writes it.

    The directory is read in the opposite order, while the trainer continues. So a file can only be newer than a file that
    depends on it, and arrives before that. Half of a checkpoint is left out, so that a scan of a directory that somebody is
    emptying takes nothing from the bucket.
    """

    def upload(path: Path) -> Upload:
        return Upload(path.relative_to(job.root).as_posix(), path)

    state = None
    with contextlib.suppress(FileNotFoundError):
        state = job.state.read_bytes()
    checkpoints = find(job.checkpoints, "step-*")
    first = [path for path in (job.config, job.vocabulary, job.model, job.metrics, job.samples) if path.exists()]
    logs = [path for path in find(job.logs, "**/*") if path.is_file() and not path.name.startswith(".")]
    whole = [path for path in checkpoints if {path.with_suffix(kind) for kind in _KINDS} <= set(checkpoints)]
    manifests_last = sorted(whole, key=lambda path: (path.suffix == ".json", path))
    found = [upload(path) for path in (*first, *logs, *manifests_last)]
    if state is not None:
        found.append(Upload(job.state.relative_to(job.root).as_posix(), state))
    return found


def _belongs(job: JobDirectory, name: str) -> bool:
    """Whether an object is a file that a trainer needs to resume; TensorBoard's files are not."""
    files = {path.name for path in (*job.small_files, job.model, job.samples)}
    return name in files or (name.startswith(f"{job.checkpoints.name}/") and name.count("/") == 1)
