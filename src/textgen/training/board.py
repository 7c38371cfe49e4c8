"""Writes TensorBoard's files: losses, rates and norms of the training text, scores and samples of the validation text."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from textgen.evaluation import Scores
from textgen.training.progress import Progress

_LARGEST_FLOAT32 = float(tf.float32.max)


class Board(keras.callbacks.TensorBoard):
    """Keras' TensorBoard callback with the step of the job on the x axis, since one Keras epoch is the whole run.

    Args:
        directory: where the files go, below `train/` and `validation/`.
        progress: where training stands.
    """

    def __init__(self, directory: Path, progress: Progress) -> None:
        super().__init__(log_dir=str(directory), write_graph=False)
        self._directory = directory
        self._progress = progress

    def on_train_begin(self, logs: Any = None) -> None:
        """Says where the job goes on: TensorBoard then forgets what a killed trainer wrote of later steps."""
        progress = self._progress
        if progress.step > 0:
            first = progress.step + (progress.scores is None)  # evaluated only now: that step is written anew
            start = Event(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START))
            for name in ("train", "validation"):
                writer = EventFileWriter(str(self._directory / name))
                writer.add_event(start)
                writer.close()
        super().on_train_begin(logs)
        if progress.scores is not None:
            self._write_step()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Does nothing: profiling is not a part of this."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Writes what the step has to say."""
        del batch, logs
        self._write_step()

    def flush(self) -> None:
        """Hands all that was written to the operating system."""
        self._train_writer.flush()
        self._val_writer.flush()

    def _write_step(self) -> None:
        progress = self._progress
        if progress.reports or progress.scores is not None:
            values = {
                "learning_rate": progress.learning_rate,
                "tokens_per_second": progress.tokens_per_second,
                "gradient_norm": progress.gradient_norm,
            }
            self._write(self._train_writer, progress.window_scores, values)
        if progress.scores is not None:
            self._write(self._val_writer, progress.scores, {})
            if progress.sample:
                with self._val_writer.as_default():
                    tf.summary.text("sample", _as_markdown(progress.sample), step=progress.step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does nothing: every value has been written with its step."""

    def _write(self, writer: Any, scores: Scores, values: dict[str, float]) -> None:
        """Writes the scores, under the same names for both texts, and further values."""
        named = {"loss": scores.loss, "perplexity": scores.perplexity, "bits_per_character": scores.bits_per_character}
        with writer.as_default():
            for name, value in {**named, **values}.items():
                if value <= _LARGEST_FLOAT32:
                    tf.summary.scalar(name, value, step=self._progress.step)


def _as_markdown(text: str) -> str:
    """Indents a text by four spaces, so that the text tab shows it as it is."""
    return "\n".join(f"    {line}" for line in text.split("\n"))
