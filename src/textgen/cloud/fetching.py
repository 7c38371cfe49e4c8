"""Downloads the job directory of a cloud job, and never replaces a file that was written on this machine.

A hidden file in the local directory records which contents came from the bucket. Only these may be replaced.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from textgen.config.cloud_names import SCHEME
from textgen.errors import LockedError, MissingError, TextgenError, UsageError, from_os_error
from textgen.formatting import count
from textgen.jobs import JobDirectory, JobState, job_lock, read_metrics
from textgen.storage import (
    BucketDirectory,
    StoredObject,
    can_be_local,
    fetch_directory,
    parse_object,
    read_text,
    remove,
    write_atomic,
)
from textgen.storage.bucket_directory import crc32c

_ATTEMPTS = 3
"""A running trainer removes old checkpoints, perhaps one that is being downloaded."""


@dataclass(frozen=True)
class Fetched:
    """The result of `fetch_job`.

    Attributes:
        job: the local directory.
        files: the number of new or changed files.
        bytes: their size.
    """

    job: JobDirectory
    files: int
    bytes: int


def local_directory(uri: str) -> Path:
    """Returns the default local directory for a job in a bucket: `job/NAME`.

    Raises:
        UsageError: for an invalid URI, or one that does not end in a name.
    """
    bucket, *parts = BucketDirectory(uri).uri.removeprefix(SCHEME).split("/")
    if not parts or not can_be_local(parts[-1]):
        raise UsageError(
            f"JOB must name a job directory, got {uri}; name one in gs://{bucket}, such as gs://{bucket}/job/NAME"
        )
    return Path("job") / parts[-1]


def fetch_job(uri: str, target: Path, say: Callable[[str], None], warn: Callable[[str], None]) -> Fetched:
    """Downloads the new and changed files of a job directory in a bucket.

    Args:
        uri: the job directory in the bucket.
        target: the local directory; created if missing.
        say: called with one line about what is downloaded.
        warn: as for `job_lock`.

    Raises:
        MissingError: if the bucket has no such job.
        LockedError: if a trainer is using the local directory.
        UsageError: if the local directory contains anything but an earlier state of the same job.
        TextgenError: as `fetch_directory`.
    """
    remote = _list(uri)
    job = JobDirectory(target)
    _refuse_strangers(job)
    with _locked(job, warn):
        for _ in range(_ATTEMPTS):
            record = _Record.read(job, uri)
            local = _contents(job, remote)
            _refuse_loss(job, local, remote, record)
            new = {name: facts for name, facts in remote.items() if local.get(name) != facts.crc32c}
            size = sum(facts.size for facts in new.values())
            # Before the first download, so that after an interruption the next call knows which files came from the bucket.
            record.add(local, remote).write(job)
            say(_summary(len(new), size, uri, target))
            is_complete = _download(job, uri, remote)
            asked, remote = remote, _list(uri)
            if is_complete and asked.keys() <= remote.keys():
                break
        else:
            raise MissingError(
                f"{uri} changes faster than it can be downloaded; run the same command again, or when the job has ended"
            )
        _remove_old_checkpoints(job, _Record.read(job, uri), asked)
    return Fetched(job, len(new), size)


@dataclass(frozen=True)
class _Record:
    """The contents that came from the bucket: checksums by the names of the files."""

    uri: str
    contents: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, job: JobDirectory, uri: str) -> Self:
        """Reads the record; an empty one if it is damaged or belongs to another directory."""
        try:
            values = parse_object(read_text(job.fetched)) or {}
            if values.get("uri") == uri.rstrip("/"):
                contents = values["contents"].items()
                return cls(uri, {name: tuple(content) for name, content in contents if can_be_local(name)})
        except (TextgenError, TypeError, KeyError, AttributeError):
            pass
        return cls(uri, {})

    def holds(self, name: str, content: str) -> bool:
        """Whether a file's content came from the bucket."""
        return content in self.contents.get(name, ())

    def add(self, local: Mapping[str, str], remote: Mapping[str, StoredObject]) -> Self:
        """Returns a record that also has the contents that files can have during the next downloads: old and new ones."""
        expected = {name: tuple({facts.crc32c, local.get(name, facts.crc32c)}) for name, facts in remote.items()}
        return type(self)(self.uri, {**self.contents, **expected})

    def write(self, job: JobDirectory) -> None:
        """Writes the record atomically."""
        values = {"uri": self.uri.rstrip("/"), "contents": self.contents}
        write_atomic(job.fetched, json.dumps(values, indent=1) + "\n")


def _list(uri: str) -> dict[str, StoredObject]:
    """The files in the bucket's directory, except those that are this directory's own: the lock and the record."""
    with BucketDirectory(uri) as directory:
        found = directory.list()
    job = JobDirectory(Path())
    if job.config.name not in found:
        raise MissingError(
            f"there is no job in {uri}: it contains no {job.config.name}; check the name, "
            "or check with textgen vertex status that the job has started"
        )
    ours = {job.lock.name, job.fetched.name}  # on a disk that does not tell upper from lower case, in any case
    return {name: facts for name, facts in found.items() if name.casefold() not in ours}


def _download(job: JobDirectory, uri: str, names: Mapping[str, StoredObject]) -> bool:
    """Downloads the new and changed files; returns whether all of them still existed."""
    try:
        fetch_directory(uri, job.root, names)
    except MissingError:
        return False
    finally:  # a growing file may be longer than when it was listed
        record = _Record.read(job, uri)
        downloaded = {name: (content,) for name, content in _contents(job, names).items()}
        _Record(uri, {**record.contents, **downloaded}).write(job)
    return True


def _refuse_strangers(job: JobDirectory) -> None:
    """Refuses a directory that is not a job's, before anything is written there."""
    try:
        is_job = job.is_empty or job.exists or (job.fetched).exists()
    except NotADirectoryError:
        is_job = False
    except OSError as error:
        raise from_os_error(error, f"cannot use {job.root}") from error
    if not is_job:
        raise UsageError(f"{job.root} exists and contains no job; name another --output")


@contextlib.contextmanager
def _locked(job: JobDirectory, warn: Callable[[str], None]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(job_lock(job, warn))
        except LockedError as error:
            raise LockedError(
                f"a trainer works in {job.root}; wait for its end or stop it, or name another --output"
            ) from error
        yield


def _contents(job: JobDirectory, names: Mapping[str, Any]) -> dict[str, str]:
    """The checksums of those files that the local directory has."""
    found = {}
    for name in names:
        path = job.root / name
        try:
            if path.is_file():
                found[name] = crc32c(path)
        except OSError as error:
            raise from_os_error(error, f"cannot read {path}") from error
    return found


def _refuse_loss(
    job: JobDirectory, local: Mapping[str, str], remote: Mapping[str, StoredObject], record: _Record
) -> None:
    """Checks that only files from the bucket would be replaced, and only by a later state of the same job.

    Raises:
        UsageError: if not.
    """
    advice = f"name another --output, or move {job.root} away"
    for name, content in local.items():
        if content != remote[name].crc32c and not record.holds(name, content):
            raise UsageError(f"{job.root / name} differs from the one in {record.uri}, and was made here; {advice}")
    with tempfile.TemporaryDirectory() as place:
        other = JobDirectory(Path(place))
        fetch_directory(record.uri, other.root, [other.state.name, other.metrics.name])
        # The first evaluation of any two runs differs, because it contains the seconds that it took.
        first = read_metrics(job.metrics)[:1]
        if first and first != read_metrics(other.metrics)[:1]:
            raise UsageError(f"{job.root} contains another run than {record.uri}; {advice}")
        mine, others = (JobState.find(directory.state) or JobState("stopped") for directory in (job, other))
        if mine.steps > others.steps:
            raise UsageError(
                f"{job.root} is newer, at step {mine.steps:,}, than {record.uri}, at step {others.steps:,}; {advice}"
            )


def _remove_old_checkpoints(job: JobDirectory, record: _Record, remote: Mapping[str, StoredObject]) -> None:
    """Removes the checkpoints that came from the bucket and that the trainer has removed there since."""
    gone = [name for name in record.contents if name.startswith(f"{job.checkpoints.name}/") and name not in remote]
    for name, content in _contents(job, dict.fromkeys(gone)).items():
        if record.holds(name, content):
            remove(job.root / name)


def _summary(files: int, size: int, uri: str, target: Path) -> str:
    from rich.filesize import decimal

    if not files:
        return f"{target} is up to date with {uri}"
    return f"downloading {count(files, 'file')}, {decimal(size)}, from {uri} to {target}"
