"""Writes TensorBoard's event files: training loss, learning rate and gradient norm; validation scores and samples."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from textgen.console import Console
from textgen.evaluation import Scores
from textgen.training.progress import Progress

_LARGEST_FLOAT32 = float(tf.float32.max)
_TEXTS = ("train", "validation")
_NODE = re.compile(r"\{\{.*?\}\} ?| ?\[Op:.*", re.DOTALL)
"""What TensorFlow adds to an operating system's error message."""


class Board(keras.callbacks.TensorBoard):
    """Keras' TensorBoard callback with the job's step on the x axis, since one Keras epoch is the whole run.

    It keeps its own writers: after a failed write an event file is truncated, so the next event starts a new file.

    Args:
        directory: where the files go, in `train/` and `validation/`.
        progress: the progress so far.
        console: receives a warning when a file cannot be written.
    """

    def __init__(self, directory: Path, progress: Progress, console: Console) -> None:
        super().__init__(log_dir=str(directory), write_graph=False)
        self._directory = directory
        self._progress = progress
        self._console = console
        self._open: dict[str, Any] = {}
        self._fails = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes a session start, which makes TensorBoard discard what a killed trainer wrote for later steps.

        The first run writes one, too, because TensorBoard ignores the first session start it reads.
        """
        del logs
        progress = self._progress
        first = progress.step + (progress.scores is None)  # a step evaluated only now is written again
        start = Event(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START))
        with self._warning():
            for text in _TEXTS:
                writer = EventFileWriter(str(self._directory / text))
                writer.add_event(start)
                writer.close()
        if progress.scores is not None:
            self._write_step()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Does nothing: Keras would profile here."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the step's values, if any."""
        del batch, logs
        if self._progress.reports or self._progress.scores is not None:
            self._write_step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does nothing: every value was written with its step."""

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        del logs
        with self._warning():
            for writer in self._open.values():
                writer.close()
        self._open.clear()

    def flush(self) -> None:
        """Flushes all writers."""
        with self._warning():
            for writer in self._open.values():
                writer.flush()
            self._fails = self._fails and not self._open

    def _write_step(self) -> None:
        progress = self._progress
        with self._warning():
            values = {
                "learning_rate": progress.learning_rate,
                "tokens_per_second": progress.tokens_per_second,
                "gradient_norm": progress.gradient_norm,
            }
            self._write("train", progress.window_scores, values)
            if progress.scores is not None:
                self._write("validation", progress.scores, {})
                if progress.sample:
                    with self._writer("validation").as_default():
                        tf.summary.text("sample", _as_markdown(progress.sample), step=progress.step)

    def _write(self, text: str, scores: Scores, values: dict[str, float]) -> None:
        """Writes the scores, under the same names for both texts, and other values."""
        named = {"loss": scores.loss, "perplexity": scores.perplexity, "bits_per_character": scores.bits_per_character}
        with self._writer(text).as_default():
            for name, value in {**named, **values}.items():
                if value <= _LARGEST_FLOAT32:
                    tf.summary.scalar(name, value, step=self._progress.step)

    def _writer(self, text: str) -> Any:
        """The writer of a text, opened on first use."""
        if text not in self._open:
            self._open[text] = tf.summary.create_file_writer(str(self._directory / text))
        return self._open[text]

    @contextlib.contextmanager
    def _warning(self) -> Iterator[None]:
        """Turns errors into a single warning, because training must not end over TensorBoard's curves.

        Keras would take some of TensorFlow's errors for the end of the data.
        """
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            self._open.clear()
            if not self._fails:
                reason = reason_of(error)
                self._console.warn(
                    f"cannot write TensorBoard's files in {self._directory} (since step {self._progress.step}): {reason}; "
                    "training continues"
                )
            self._fails = True


def reason_of(error: BaseException) -> str:
    """Returns the first line of an error from TensorFlow or the operating system, without the names of TensorFlow's nodes."""
    return _NODE.sub("", getattr(error, "message", None) or str(error)).partition("\n")[0]


def _as_markdown(text: str) -> str:
    """Indents a text by four spaces, so that TensorBoard's text tab shows it verbatim."""
    return "\n".join(f"    {line}" for line in text.split("\n"))
