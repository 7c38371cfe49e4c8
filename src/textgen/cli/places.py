"""Decides where a run's files go, and refuses impossible places; creates nothing."""

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
    """The place of the job, and that of TensorBoard's files; None if these go to the job's own directory.

    Args:
        config: the settings.
        prefix: the first part of the job's name.
        worker: see `job_place`.

    Raises:
        TextgenError: when one of them is a file or below one, is not writable, or is no valid place in a bucket.
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
    """Refuses a place in a bucket, or any other URI, which would otherwise be taken for a local path.

    Raises:
        UsageError: for a URI.
    """
    if is_uri(place):
        raise UsageError(
            f"{label} must be a local path, got {place}; name one here; textgen vertex fetch brings a job of a bucket home"
        )


def refuse_bucket_with_copies(place: str) -> None:
    """Refuses a job in a bucket, whose training text is not looked for.

    Raises:
        UsageError: for a place that begins with `gs://`.
    """
    if is_bucket(place):
        raise UsageError(
            f"{named('novelty')} and {named('max_copy')} find the training text only through a local job directory, got {place}; "
            "copy the job here, or leave them out"
        )


def find_output(path: Path, suffix: str) -> Path:
    """Checks that a file can be written at the path of `--output`, or at its default.

    Args:
        path: the file.
        suffix: the extension that its name must have.

    Raises:
        TextgenError: when it has another extension, is a directory, or is not writable.
    """
    _check_utf8(named("output"), str(path))
    if path.suffix != suffix:
        raise UsageError(f"{named('output')} must end in {suffix} for this {named('format')}, got {path}; rename it")
    there = _nearest(named("output"), path)
    if there == path:
        if path.is_dir():
            raise UsageError(f"{named('output')} must be a file, got {path}, which is a directory; name a file in it")
        there = path.parent
    _check_writable(named("output"), path, there, "be in a directory")
    return path


def check_free_space(directory: Path, plan: Plan, kept: int) -> None:
    """Checks that the disk has room for the checkpoints of a run.

    Args:
        directory: where they go; it need not exist.
        plan: of the run.
        kept: the bytes of existing checkpoints. They count as free, but only after a newer one is written.

    Raises:
        InputOutputError: when the disk is too full.
        TextgenError: when the operating system cannot tell.
    """
    from rich.filesize import decimal

    there = _nearest(named("job_dir"), directory)
    try:
        space = shutil.disk_usage(there)
    except OSError as error:
        raise from_os_error(error, f"cannot ask how much space is free in {there}") from error
    needed = max(plan.disk - kept, plan.checkpoint_bytes)
    # Some network file systems have no size, and report 0 for everything.
    if space.total and space.free < needed:
        have = f", of which {decimal(kept)} are there" if kept else ""
        raise InputOutputError(
            f"the disk of {directory} has {decimal(space.free)} free and needs {decimal(needed)}: three checkpoints of "
            f"this job take {decimal(plan.disk)}{have}; free some space, name a {named('job_dir')} on another disk, or lower "
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
        raise UsageError(f"{flag} must be UTF-8, got {value!r}; name another place") from None


def _nearest(flag: str, path: Path) -> Path:
    """The path, or the nearest above it that exists."""
    try:
        return next(place for place in (path, *path.parents) if place.exists() or place.is_symlink())
    except OSError as error:
        raise from_os_error(error, f"cannot use {flag} {path}") from error


def _check_writable(flag: str, path: Path, there: Path, rule: str) -> None:
    """Refuses a path whose existing part is not a writable directory."""
    try:
        is_directory = there.is_dir()
    except OSError as error:
        raise from_os_error(error, f"cannot use {flag} {path}") from error
    if not is_directory:
        raise UsageError(f"{flag} must {rule}, got {path}, and {there} is none; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise AccessError(f"cannot write to {flag} {path}: no permission in {there}; name another place")
