"""Brings the job directory of a cloud job home, and never over what was made here; knows nothing of what trains it.

A hidden file in the local directory keeps which contents came from the bucket. Only these may be replaced by newer ones.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

from textgen.errors import LockedError, MissingError, TextgenError, UsageError, from_os_error
from textgen.jobs import JobDirectory, JobState, job_lock
from textgen.storage import BucketDirectory, StoredObject, fetch_directory, read_text, remove, write_atomic
from textgen.storage.bucket_directory import crc32c

_RECORD = ".fetched.json"
_CHECKPOINTS = "checkpoints/"
_ATTEMPTS = 3
"""A trainer that goes on meanwhile removes old checkpoints, perhaps one that is just asked for."""


@dataclass(frozen=True)
class Fetched:
    """What `fetch_job` did.

    Attributes:
        job: the local directory.
        files: how many files are new or newer.
        bytes: of these.
    """

    job: JobDirectory
    files: int
    bytes: int


def job_directory(job: Mapping[str, Any]) -> str:
    """The place of a custom job's directory.

    Args:
        job: a `CustomJob` as Vertex AI's REST interface has it.

    Raises:
        MissingError: when it has none: textgen did not submit it.
    """
    place = job.get("jobSpec", {}).get("baseOutputDirectory", {}).get("outputUriPrefix")
    if not place:
        raise MissingError(
            f"the job {job.get('name', '')} names no output directory, so textgen has not submitted it; "
            "name its directory in the bucket in place of its id"
        )
    return str(place)


def local_directory(uri: str) -> Path:
    """Where a job directory of a bucket goes when nothing else is said: `job/NAME`.

    Raises:
        UsageError: for a URI that cannot be, or without a name at its end.
    """
    BucketDirectory(uri)
    bucket, *parts = PurePosixPath(uri.removeprefix("gs://")).parts
    if not parts or parts[-1] == "..":
        raise UsageError(
            f"JOB must name a job directory, got {uri}; name one in gs://{bucket}, such as gs://{bucket}/job/NAME"
        )
    return Path("job") / parts[-1]


def fetch_job(uri: str, target: Path, say: Callable[[str], None], warn: Callable[[str], None]) -> Fetched:
    """Brings what is new in a job directory of a bucket to a local one.

    Args:
        uri: the place of the bucket.
        target: the local directory; made when missing.
        say: called with a line of what comes.
        warn: as `job_lock` has it.

    Raises:
        MissingError: when there is no job in that place.
        LockedError: when a trainer works in the local directory.
        UsageError: when the local directory holds anything else than an earlier state of the same job.
        TextgenError: as `fetch_directory`.
    """
    there = _list(uri)
    job = JobDirectory(target)
    _refuse_strangers(job)
    with _locked(job, warn):
        for _ in range(_ATTEMPTS):
            record = _Record.read(job, uri)
            here = _contents(job, there)
            _refuse_loss(job, here, there, record)
            new = {name: facts for name, facts in there.items() if here.get(name) != facts.crc32c}
            size = sum(facts.size for facts in new.values())
            # Before the first file comes: what an interrupted call leaves is known to the next one.
            record.add(here, there).write(job)
            say(_summary(len(new), size, uri, target))
            whole = _bring(job, uri, there)
            asked, there = there, _list(uri)
            if whole and asked.keys() <= there.keys():
                break
        else:
            raise MissingError(
                f"{uri} changes faster than it comes; run the same command again, or when the job has ended"
            )
        _remove_old_checkpoints(job, _Record.read(job, uri), asked)
    return Fetched(job, len(new), size)


@dataclass(frozen=True)
class _Record:
    """Which contents came from the bucket: checksums, by the names of the files."""

    uri: str
    contents: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, job: JobDirectory, uri: str) -> Self:
        """What is recorded; nothing where that is of another place, or makes no sense."""
        try:
            values = json.loads(read_text(job.root / _RECORD))
            if values["uri"] == uri.rstrip("/"):
                return cls(uri, {name: tuple(contents) for name, contents in values["contents"].items()})
        except (TextgenError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        return cls(uri, {})

    def holds(self, name: str, content: str) -> bool:
        """Whether a file's content came from the bucket."""
        return content in self.contents.get(name, ())

    def add(self, here: Mapping[str, str], there: Mapping[str, StoredObject]) -> Self:
        """With what may lie here while the next files come: what is here, and what is there."""
        coming = {name: tuple({facts.crc32c, here.get(name, facts.crc32c)}) for name, facts in there.items()}
        return type(self)(self.uri, {**self.contents, **coming})

    def write(self, job: JobDirectory) -> None:
        """Writes it, whole or not at all."""
        values = {"uri": self.uri.rstrip("/"), "contents": self.contents}
        write_atomic(job.root / _RECORD, json.dumps(values, indent=1) + "\n")


def _list(uri: str) -> dict[str, StoredObject]:
    """What is in the bucket's directory, but for its lock: the one here is held by this process."""
    with BucketDirectory(uri) as directory:
        found = directory.list()
    job = JobDirectory(Path())
    if job.config.name not in found:
        raise MissingError(
            f"there is no job in {uri}: it holds no {job.config.name}; check the name, "
            "or see with textgen vertex status whether the job has begun"
        )
    ours = {job.lock.name, _RECORD}
    return {name: facts for name, facts in found.items() if name not in ours}


def _bring(job: JobDirectory, uri: str, names: Mapping[str, StoredObject]) -> bool:
    """Brings what is new; returns whether all was still there."""
    try:
        fetch_directory(uri, job.root, names)
    except MissingError:
        return False
    finally:  # a file that grows may have come with more than was listed
        record = _Record.read(job, uri)
        came = {name: (content,) for name, content in _contents(job, names).items()}
        _Record(uri, {**record.contents, **came}).write(job)
    return True


def _refuse_strangers(job: JobDirectory) -> None:
    """Refuses, before anything is written there, a directory that is no job's."""
    try:
        is_job = job.is_empty or job.exists or (job.root / _RECORD).exists()
    except NotADirectoryError:
        is_job = False
    except OSError as error:
        raise from_os_error(error, f"cannot use {job.root}") from error
    if not is_job:
        raise UsageError(f"{job.root} is there and holds no job; name another --output")


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
    """The checksums of those files that lie here."""
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
    job: JobDirectory, here: Mapping[str, str], there: Mapping[str, StoredObject], record: _Record
) -> None:
    """Refuses to replace what did not come from the bucket, or what is not an earlier state of the same job.

    Raises:
        UsageError: for these.
    """
    advice = f"name another --output, or move {job.root} away"
    for name, content in here.items():
        if content != there[name].crc32c and not record.holds(name, content):
            raise UsageError(f"{job.root / name} differs from what is in {record.uri}, and was made here; {advice}")
    with tempfile.TemporaryDirectory() as place:
        other = JobDirectory(Path(place))
        fetch_directory(record.uri, other.root, [other.state.name, other.metrics.name])
        begin = _first_evaluation(job)
        if begin is not None and begin != _first_evaluation(other):
            raise UsageError(f"{job.root} holds another run than {record.uri}; {advice}")
        mine, others = (JobState.find(directory.state) or JobState("stopped") for directory in (job, other))
        if mine.steps > others.steps:
            raise UsageError(
                f"{job.root} is newer, at step {mine.steps:,}, than {record.uri}, at step {others.steps:,}; {advice}"
            )


def _first_evaluation(job: JobDirectory) -> str | None:
    """A job's first line of metrics, which names the seconds it took, so that no two runs have the same."""
    lines = read_text(job.metrics).splitlines() if job.metrics.exists() else []
    return lines[0] if lines else None


def _remove_old_checkpoints(job: JobDirectory, record: _Record, there: Mapping[str, StoredObject]) -> None:
    """Removes the checkpoints that came from the bucket and are no longer there, as the trainer has done with them."""
    gone = [name for name in record.contents if name.startswith(_CHECKPOINTS) and name not in there]
    for name, content in _contents(job, dict.fromkeys(gone)).items():
        if record.holds(name, content):
            remove(job.root / name)


def _summary(files: int, size: int, uri: str, target: Path) -> str:
    from rich.filesize import decimal

    if not files:
        return f"{target} has all that is in {uri}"
    return f"bringing {files:,} file{'s' if files > 1 else ''}, {decimal(size)}, from {uri} to {target}"
