"""Provides a local directory for TensorBoard's files, and uploads them if they belong in a bucket."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from textgen.jobs import Events, JobDirectory
from textgen.storage import Mirror, Upload, below, find, is_bucket, state_path


@contextlib.contextmanager
def open_summaries(place: str | None, job: JobDirectory, events: Events) -> Iterator[Path]:
    """Yields the directory to write to; at the end, waits for the last uploads to a bucket.

    Args:
        place: a path, a URI that begins with `gs://`, or None for the job's own directory.
        job: the job of the run.
        events: reports on the uploads.

    Raises:
        TextgenError: if the bucket cannot be read or written.
    """
    if place is None or place.rstrip("/") == below(str(job), job.logs.name):
        yield job.logs
    elif not is_bucket(place):
        yield Path(place)
    else:
        # Not one for all jobs that write to this place: each would upload the files that another is still writing.
        key = hashlib.sha256(f"{place} {job}".encode()).hexdigest()[:32]
        local = state_path(f"summaries/{key}")
        with Mirror(
            place,
            lambda: [
                Upload(path.relative_to(local).as_posix(), path) for path in find(local, "**/*") if path.is_file()
            ],
            warn=events.warn,
            lost=events.lost,
            advice=f"they are all in {local}",
        ):
            yield local
