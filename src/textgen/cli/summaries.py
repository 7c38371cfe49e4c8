"""Gives training a local directory for TensorBoard's files, wherever they are to go; knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from textgen.jobs import Events, JobDirectory
from textgen.storage import Mirror, Upload, below, cache_directory, find, is_bucket


@contextlib.contextmanager
def open_summaries(place: str | None, job: JobDirectory, events: Events) -> Iterator[Path]:
    """The directory to write to; when the body has ended, waits for the last uploads where they go to a bucket.

    Args:
        place: a path, a URI that begins with `gs://`, or None for the job's own directory.
        job: in which the run works.
        events: told how uploads go.

    Raises:
        TextgenError: when the bucket cannot be read or written.
    """
    if place is None or place.rstrip("/") == below(str(job), job.logs.name):
        yield job.logs
    elif not is_bucket(place):
        yield Path(place)
    else:
        local = cache_directory("summaries") / hashlib.sha256(place.encode()).hexdigest()[:32]
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
