"""The lock on a job directory: one trainer at a time; knows nothing of what it does there.

The kernel holds the lock, on the open file `lock` in the directory, and lets go when the process ends, however it ends:
there is no stale lock. What the file says of its holder is for people. The file is never deleted: one process could
wait for the deleted file while another makes and locks a new one, and both would train.
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
"""Seconds between two attempts. `is_locked` takes the lock for an instant, for which no trainer shall be turned away."""

_HOLDER_BEGINS = 1
"""Where the line about the holder begins: Windows locks the first byte, and lets nobody else read it."""
_LONGEST_HOLDER = 200
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What a file system without locks answers."""


@contextlib.contextmanager
def job_lock(job: JobDirectory, warn: Callable[[str], None]) -> Iterator[None]:
    """Keeps other trainers out of a job directory while the body runs.

    Args:
        job: the directory; made when missing.
        warn: called with one line where the file system has no locks: then nobody is kept out.

    Raises:
        LockedError: when another trainer works there.
        TextgenError: when the operating system refuses.
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
    """Whether a trainer works in a job directory; where there are no locks, whether one says so."""
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


def _take(job: JobDirectory, warn: Callable[[str], None]) -> int:
    """The descriptor of the locked file."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        make_directory(job.root)
        try:
            descriptor = _try(job.lock, warn)
        except FileNotFoundError:  # --fresh of another trainer has moved the directory meanwhile
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
    """Opens and locks a file; None when another process has it, or has moved it away before it was locked."""
    from filelock import lock_descriptor

    # Not through a link: what it leads to is no lock, and would be emptied.
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
    """Says in the locked file who holds it; for people, so that no failure matters."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    line = f"process {os.getpid()} on {socket.gethostname()} since {since}\n"
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b" " * _HOLDER_BEGINS + line.encode())


def _read_holder(path: Path) -> str:
    """What a lock file says of its holder; empty when it says nothing."""
    try:
        with path.open("rb") as file:
            file.seek(_HOLDER_BEGINS)
            text = file.read(_LONGEST_HOLDER).decode(errors="replace")
    except OSError:
        return ""
    return "".join(character for character in text if character.isprintable()).strip()
