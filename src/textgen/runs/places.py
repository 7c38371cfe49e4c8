"""Decides where a run's files go, and checks that they can be written there, without creating anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from textgen.config import TrainingConfig, job_name, with_job_name
from textgen.errors import AccessError, InputOutputError, UsageError, from_os_error, named
from textgen.jobs import JobPlace, job_place
from textgen.planning import Plan
from textgen.storage import BucketDirectory, is_bucket, is_uri


def find_places(config: TrainingConfig, prefix: str, worker: str | None) -> tuple[JobPlace, str | None]:
    """Finds the place of the job, and that of TensorBoard's files.

    Args:
        config: the settings.
        prefix: the first part of the job's name.
        worker: see `job_place`.

    Returns:
        The place of the job, and the directory of TensorBoard's files; None if that is in the job's own directory.

    Raises:
        TextgenError: if one of them is a file or below one, is not writable, or is not a valid name in a bucket.
    """
    name = job_name(config, prefix)
    job = with_job_name(config.job_dir, name)
    _check_directory(named("job_dir"), job)
    if config.summary_dir is None:
        return job_place(job, worker), None
    summaries = with_job_name(config.summary_dir, name)
    _check_directory(named("summary_dir"), summaries)
    return job_place(job, worker), summaries


def refuse_bucket(label: str, place: str) -> None:
    """Refuses a URI, such as that of a bucket, where only a local path is possible.

    Args:
        label: the name of the argument, for the error message.
        place: its value.

    Raises:
        UsageError: if it is a URI.
    """
    if is_uri(place):
        raise UsageError(
            f"{label} must be a local path, got {place}; name one, or copy a job from a bucket with textgen vertex fetch"
        )


def refuse_tilde(label: str, place: str) -> None:
    """Refuses a path in `~`, which a shell leaves as it is in quotes and after `=`: a folder of that name would be made.

    Args:
        label: the name of the argument, for the error message.
        place: its value.

    Raises:
        UsageError: if it begins with `~/`.
    """
    if Path(place).parts[:1] == ("~",):
        raise UsageError(
            f"{label} must not begin with ~, got {place}, because only a shell knows ~; write the path in full"
        )


def find_output(path: Path, suffix: str) -> Path:
    """Checks that the output file of an export can be written.

    Args:
        path: the value of `--output`, or its default.
        suffix: the extension that it must have.

    Returns:
        The path.

    Raises:
        TextgenError: if it has another extension, is a directory, or is not writable.
    """
    _check_utf8(named("output"), str(path))
    if path.suffix != suffix:
        raise UsageError(f"{named('output')} must end in {suffix} for this {named('format')}, got {path}; rename it")
    existing = _nearest(named("output"), path)
    if existing == path:
        if path.is_dir():
            raise UsageError(f"{named('output')} must be a file, got {path}, which is a directory; name a file in it")
        existing = path.parent
    _check_writable(named("output"), path, existing, "be in a directory")
    return path


def check_free_space(directory: Path, plan: Plan, kept: int) -> None:
    """Checks that the disk has room for the checkpoints of a run.

    Args:
        directory: the directory of the checkpoints; it need not exist.
        plan: the plan of the run.
        kept: the bytes of existing checkpoints. They will be replaced, but only after a newer one is written.

    Raises:
        InputOutputError: if the disk is too full.
        TextgenError: if the free space cannot be determined.
    """
    from rich.filesize import decimal

    existing = _nearest(named("job_dir"), directory)
    try:
        space = shutil.disk_usage(existing)
    except OSError as error:
        raise from_os_error(error, f"cannot determine the free space of {existing}") from error
    needed = max(plan.disk - kept, plan.checkpoint_bytes)
    # Some network file systems have no size and report 0.
    if space.total and space.free < needed:
        have = f", of which {decimal(kept)} already exist" if kept else ""
        raise InputOutputError(
            f"the disk of {directory} has {decimal(space.free)} free, but this run needs {decimal(needed)}: the job's three "
            f"checkpoints take {decimal(plan.disk)}{have}; free some space, name a {named('job_dir')} on another disk, or lower "
            f"{named('lstm_state_size')} or {named('layers')}"
        )


def _check_directory(flag: str, value: str) -> None:
    _check_utf8(flag, value)
    if is_bucket(value):
        BucketDirectory(value)
        return
    path = Path(value)
    _check_writable(flag, path, _nearest(flag, path), "be a directory")


def _check_utf8(flag: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{flag} must be UTF-8, got {value!r}; name another path") from None


def _nearest(flag: str, path: Path) -> Path:
    """Returns the path, or its nearest parent that exists."""
    try:
        return next(place for place in (path, *path.parents) if place.exists() or place.is_symlink())
    except OSError as error:
        raise from_os_error(error, f"cannot use {flag} {path}") from error


def _check_writable(flag: str, path: Path, existing: Path, rule: str) -> None:
    """Checks that the existing part of a path is a writable directory."""
    refuse_tilde(flag, str(path))
    try:
        is_directory = existing.is_dir()
    except OSError as error:
        raise from_os_error(error, f"cannot use {flag} {path}") from error
    if not is_directory:
        raise UsageError(f"{flag} must {rule}, got {path}, but {existing} is not one; name another path")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise AccessError(f"cannot write to {flag} {path}: no permission in {existing}; name another path")
