"""Finds and checks the places of files to write. Creates nothing."""

from __future__ import annotations

import os
from pathlib import Path

from textgen.config import TrainingConfig, job_name, with_job_name
from textgen.errors import AccessError, UsageError, from_os_error, named
from textgen.jobs import JobPlace, job_place
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
    existing = nearest_existing(named("output"), path)
    if existing == path:
        if path.is_dir():
            raise UsageError(f"{named('output')} must be a file, got {path}, which is a directory; name a file in it")
        existing = path.parent
    _check_writable(named("output"), path, existing, "be in a directory")
    return path


def find_page(label: str, value: str, *, force: bool) -> Path:
    """Checks that an HTML page can be written.

    Args:
        label: the name of the setting, for the error message.
        value: its value, a path.
        force: whether to replace an existing file.

    Returns:
        The path.

    Raises:
        TextgenError: if it is a URI or a directory, is not writable, or exists without `force`.
    """
    refuse_bucket(label, value)
    _check_utf8(label, value)
    path = Path(value)
    existing = nearest_existing(label, path)
    if existing == path:
        if path.is_dir():
            raise UsageError(f"{label} must be a file, got {path}, which is a directory; name a file in it")
        if not force:
            raise UsageError(f"{path} already exists; replace it with {named('force')}, or name another file")
        existing = path.parent
    _check_writable(label, path, existing, "be in a directory")
    return path


def nearest_existing(label: str, path: Path) -> Path:
    """Returns the path, or its nearest parent that exists."""
    try:
        return next(place for place in (path, *path.parents) if place.exists() or place.is_symlink())
    except OSError as error:
        raise from_os_error(error, f"cannot use {label} {path}") from error


def _check_directory(label: str, value: str) -> None:
    _check_utf8(label, value)
    if is_bucket(value):
        BucketDirectory(value)
        return
    path = Path(value)
    _check_writable(label, path, nearest_existing(label, path), "be a directory")


def _check_utf8(label: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{label} must be UTF-8, got {value!r}; name another path") from None


def _check_writable(label: str, path: Path, existing: Path, rule: str) -> None:
    """Checks that the existing part of a path is a writable directory."""
    refuse_tilde(label, str(path))
    try:
        is_directory = existing.is_dir()
    except OSError as error:
        raise from_os_error(error, f"cannot use {label} {path}") from error
    if not is_directory:
        raise UsageError(f"{label} must {rule}, got {path}, but {existing} is not one; name another path")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise AccessError(f"cannot write to {label} {path}: no permission in {existing}; name another path")
