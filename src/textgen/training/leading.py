"""Leads the other processes that train: connects them, gives them the text, and explains what TensorFlow says if one is gone.

`textgen.training.following` is what they do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from textgen.corpus import Corpus
from textgen.dataset import encoded_path
from textgen.jobs import JobDirectory
from textgen.storage import Fingerprint, below, is_bucket, upload_once
from textgen.training.board import reason_of
from textgen.training.replicas import Replicas
from textgen.workers import Workers, lost

_SECONDS_TO_NOTICE = 10.0
"""How long TensorFlow may be ahead of the link in noticing that a worker is gone."""


def connect(workers: Workers | None, devices: int, threads: int | None) -> Replicas:
    """Makes the replicas of all processes; must be called before TensorFlow's first operation if there are several processes.

    Args:
        workers: the other processes; None if there are none.
        devices: the number of devices of each process.
        threads: the number of threads of an operation, if it is fixed.

    Raises:
        TextgenError: if the processes cannot be connected.
    """
    if workers is None:
        return Replicas.on_devices(devices)
    workers.tell("connect", devices=devices, threads=threads)
    return Replicas.in_cluster(workers.cluster)


def send_text(
    workers: Workers | None, corpus: Corpus, counts: np.ndarray, ids_directory: Path, job: JobDirectory
) -> None:
    """Tells the other processes where the ids of the training text are.

    Beside a job in a bucket, each process reads those of its own streams. Otherwise, the cache must be on a disk that all share.

    Args:
        workers: the other processes; None if there are none.
        corpus: the text.
        counts: how often each id occurs there.
        ids_directory: the cache of encoded texts.
        job: the job directory.

    Raises:
        TextgenError: if the ids cannot be uploaded.
    """
    if workers is None:
        return
    path, dtype = encoded_path(corpus.train, corpus.vocabulary, ids_directory)
    place = str(path)
    if is_bucket(str(job)) and not workers.are_local:
        place = below(str(job).rpartition("/")[0], f"ids/{path.name}")
        upload_once(path, place, Fingerprint.of(path).crc32c)
    facts: dict[str, Any] = {"tokens": int(counts.sum()), "vocabulary_size": corpus.vocabulary.size}
    workers.tell("text", {"counts": counts}, ids=place, dtype=dtype.name, **facts)


@contextlib.contextmanager
def naming_lost_workers(workers: Workers | None) -> Iterator[None]:
    """Turns TensorFlow's error about the exchange between the processes into that of the worker that is gone.

    Args:
        workers: the other processes; None if there are none.

    Raises:
        TextgenError: the error of the worker.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if workers is None:
            raise
        workers.wait_for_failure(_SECONDS_TO_NOTICE)
        raise lost(f"the exchange between the workers failed: {reason_of(error)}") from error
