"""Leads the other processes that train: gives them the text and the state to start from, and tells them which steps to make.

`textgen.training.following` is what they do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from textgen.console import Console
from textgen.corpus import Corpus
from textgen.dataset import encoded_path
from textgen.jobs import Checkpoint, JobDirectory
from textgen.model import LanguageModel
from textgen.signals import Signals
from textgen.storage import Fingerprint, below, is_bucket, upload_once
from textgen.training.capture import capture, hash_weights, local_states, states_of
from textgen.training.controller import Decision
from textgen.training.progress import Progress
from textgen.training.replicas import Replicas, check_port
from textgen.training.tensorflow_failures import naming_lost_processes
from textgen.workers import Workers

_SECONDS_TO_NOTICE = 10.0
"""How long TensorFlow may be ahead of the link in noticing that a worker is gone."""


class Leader:
    """Leads the workers of a run; for a run in one process, it only makes the replicas and copies the state.

    Args:
        workers: the other processes; None if there are none.
        console: receives a warning if the weights of a process differ.

    Attributes:
        processes: the number of processes, with this one.
    """

    def __init__(self, workers: Workers | None, console: Console) -> None:
        self.processes = 1 if workers is None else workers.cluster.count
        self._workers = workers
        self._console = console
        self._has_warned = False

    def connect(self, devices: int, threads: int | None, signals: Signals) -> Replicas:
        """Makes the replicas of all processes; must be called before TensorFlow's first operation if there are several processes.

        Args:
            devices: the number of devices of each process.
            threads: the number of threads of an operation, if it is fixed.
            signals: handles SIGINT and SIGTERM.

        Raises:
            TextgenError: if the processes cannot be connected.
        """
        if self._workers is None:
            return Replicas.on_devices(devices)
        check_port(self._workers.cluster)
        self._workers.ask("prepare", devices=devices, threads=threads)
        self._workers.tell("connect")
        with self.naming_lost_processes():
            return Replicas.in_cluster(self._workers.cluster, signals)

    def send_text(self, corpus: Corpus, counts: np.ndarray, ids_directory: Path, job: JobDirectory) -> None:
        """Tells the other processes where the ids of the training text are.

        Beside a job in a bucket, each process reads those of its own streams. Otherwise, the cache must be on a disk that all share.

        Args:
            corpus: the text.
            counts: how often each id occurs there.
            ids_directory: the cache of encoded texts.
            job: the job directory.

        Raises:
            TextgenError: if the ids cannot be uploaded.
        """
        if self._workers is None:
            return
        path, dtype = encoded_path(corpus.train, corpus.vocabulary, ids_directory)
        place = str(path)
        if is_bucket(str(job)) and not self._workers.are_local:
            place = below(str(job).rpartition("/")[0], f"ids/{path.name}")
            upload_once(path, place, Fingerprint.of(path).crc32c)
        facts: dict[str, Any] = {"tokens": int(counts.sum()), "vocabulary_size": corpus.vocabulary.size}
        self._workers.tell("text", {"counts": counts}, ids=place, dtype=dtype.name, **facts)

    def begin_attempt(self) -> None:
        """Lets the other processes build the model, which exchanges the initial values of its variables."""
        if self._workers is not None:
            self._workers.tell("attempt")

    def send_state(
        self, model: LanguageModel, progress: Progress, checkpoint: Checkpoint | None, *, continues: bool
    ) -> None:
        """Sends the other processes the state from which all start, and the position in the text.

        Args:
            model: the model, in that state.
            progress: has the position.
            checkpoint: has the LSTM states of all streams; None for a new job.
            continues: whether these match the position.
        """
        if self._workers is None:
            return
        own = capture(model)
        streams = {} if checkpoint is None or not continues else states_of(checkpoint.tensors)
        tensors = {**{name: own[name] for name in own.keys() - states_of(own).keys()}, **streams}
        position = {"epoch": progress.epoch, "epoch_step": progress.epoch_step, "continues": continues}
        self._workers.tell("start", tensors, **position)

    def announce(self, decision: Decision) -> None:
        """Lets the other processes make the steps of a decision."""
        if self._workers is not None:
            self._workers.tell("steps", rates=decision.rates, dropout=decision.dropout)

    def copy_state(self, model: LanguageModel) -> dict[str, np.ndarray]:
        """Copies the state of the model, with the LSTM states of the streams in all processes.

        Raises:
            TextgenError: if a process is gone.
        """
        tensors = capture(model)
        if self._workers is not None:
            answers = self._workers.ask("states")
            for name in local_states(model):
                tensors[name] = np.concatenate([tensors[name], *(answer.arrays[name] for answer in answers)])
            self._compare_weights(hash_weights(model), [answer.facts["weights"] for answer in answers])
        return tensors

    def naming_lost_processes(self) -> contextlib.AbstractContextManager[None]:
        """Turns TensorFlow's error about the exchange between the processes into that of the worker that is gone."""
        if self._workers is None:
            return contextlib.nullcontext()
        return naming_lost_processes(partial(self._workers.wait_for_failure, _SECONDS_TO_NOTICE))

    def _compare_weights(self, own: str, others: Sequence[str]) -> None:
        """Warns once if a process has other weights, because its processor or its GPU computes the same update differently."""
        differing = [number for number, found in enumerate(others, 1) if found != own]
        if differing and not self._has_warned:
            self._has_warned = True
            self._console.warn(
                f"worker {differing[0]} no longer has the same weights as the chief; train on machines of the same type"
            )
