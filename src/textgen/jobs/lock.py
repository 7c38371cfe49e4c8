"""Locks a job directory, so that it has one trainer at a time.

The kernel holds the lock, on the open file `lock` in the directory, and releases it when the process ends, however it ends.
So there is no stale lock. The file's content, which describes the holder, is for people. The file is never deleted: one
process could wait for the deleted file while another creates and locks a new one, and both would train.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from textgen.errors import LockedError, from_os_error, named
from textgen.jobs.directory import JobDirectory
from textgen.storage import make_directory

_ATTEMPTS = 5
_PAUSE = 0.1
"""Seconds between two attempts: `is_locked` takes the lock for an instant, and should not keep a trainer out."""

_HOLDER_BEGINS = 1
"""The offset of the line about the holder: Windows locks the first byte, and nobody else can read it."""
_LONGEST_HOLDER = 200
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""The errors of a file system without locks."""


@contextlib.contextmanager
def job_lock(job: JobDirectory, warn: Callable[[str], None]) -> Iterator[None]:
    """Keeps other trainers out of a job directory while the body runs.

    Args:
        job: the directory; created if missing.
        warn: called with one line if the file system has no locks; then other trainers are not kept out.

    Raises:
        LockedError: if another trainer is using the directory.
        TextgenError: if the operating system refuses.
    """
    descriptor = _take(job, warn)
    try:
        _write_holder(descriptor)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def is_locked(job: JobDirectory) -> bool:
    """Whether a trainer is using a job directory; without locks, whether the file names one."""
    if not _read_holder(job.lock):
        return False
    try:
        descriptor = os.open(job.lock, os.O_RDONLY)
    except OSError:
        return False
    from filelock import lock_descriptor

    try:
        return not lock_descriptor(descriptor, blocking=False)
    except OSError:
        return True
    finally:
        os.close(descriptor)


def this_process() -> str:
    """Returns a description of this process for people who find its lock."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _take(job: JobDirectory, warn: Callable[[str], None]) -> int:
    """Locks the file, and returns its descriptor."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        make_directory(job.root)
        try:
            descriptor = _try(job.lock, warn)
        except FileNotFoundError:  # another trainer has moved the directory meanwhile, because of --fresh
            continue
        except OSError as error:
            raise from_os_error(error, f"cannot lock {job.lock}") from error
        if descriptor is not None:
            return descriptor
    raise LockedError(
        f"another trainer works in {job}: {_read_holder(job.lock) or 'a process that has just begun'}; "
        f"wait for its end or stop it, or name another {named('job_dir')}"
    )


def _try(path: Path, warn: Callable[[str], None]) -> int | None:
    """Opens and locks a file; returns None if another process has locked it, or moved it before it was locked."""
    from filelock import lock_descriptor

    # Not through a link, because its target would be emptied.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    kept = False
    try:
        try:
            locked = lock_descriptor(descriptor, blocking=False)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            warn(f"cannot lock {path}, {error.strerror}: see to it that no other trainer works in this directory")
            locked = True
        kept = locked and os.path.samestat(os.fstat(descriptor), path.stat())
    finally:
        if not kept:
            os.close(descriptor)
    return descriptor if kept else None


def _write_holder(descriptor: int) -> None:
    """Writes a description of this process into the locked file; a failure does not matter, as it is only for people."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    line = f"{this_process()} since {since}\n"
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b" " * _HOLDER_BEGINS + line.encode())


def _read_holder(path: Path) -> str:
    """Reads the description of the holder from a lock file; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(_HOLDER_BEGINS)
            text = file.read(_LONGEST_HOLDER).decode(errors="replace")
    except OSError:
        return ""
    return "".join(character for character in text if character.isprintable()).strip()
