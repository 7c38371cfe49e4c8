"""Writes TensorBoard's event files: training loss, learning rate and gradient norm; validation scores, samples and the settings."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.errors import TextgenError
from textgen.evaluation import Scores
from textgen.training.control_callback import ControlCallback
from textgen.training.hparams import write_hparams
from textgen.training.tensorflow_failures import reason_of

_LARGEST_FLOAT32 = float(tf.float32.max)


class Board(keras.callbacks.TensorBoard):
    """Keras' TensorBoard callback with the job's step on the x axis, since one Keras epoch is the whole run.

    After a failed write an event file is truncated, so the next event starts a new file.

    Args:
        directory: where the files go, in `train/` and `validation/`.
        control: has the progress, and the decision to write it.
        console: receives a warning when a file cannot be written.
        config: the settings of this run, by which TensorBoard's HParams tab compares jobs.
        name: the name of the job in that tab.
    """

    def __init__(
        self, directory: Path, control: ControlCallback, console: Console, *, config: TrainingConfig, name: str
    ) -> None:
        super().__init__(log_dir=str(directory), write_graph=False)
        self._progress = control.progress
        self._control = control
        self._console = console
        self._config = config
        self._name = name
        self._fails = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes a session start, which makes TensorBoard discard what a killed trainer wrote for later steps.

        The first run writes one, too, because TensorBoard ignores the first session start it reads. It is in the same file as what
        follows, because TensorBoard reads the files of one second in no useful order.
        """
        del logs
        progress = self._progress
        first = progress.step + (progress.scores is None)  # a step evaluated only now is written again
        start = Event(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START))
        with self._warning():
            for writer in (self._train_writer, self._val_writer):
                # No public function of TensorFlow writes an event that is not a summary.
                tf.raw_ops.ImportEvent(writer=writer._resource, event=start.SerializeToString())  # noqa: SLF001
                writer.flush()
            write_hparams(Path(self._val_dir), self._config, self._name)
        if progress.scores is not None:
            self._write_step()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the values of a step that is reported."""
        del batch, logs
        if self._control.decision.report:
            self._write_step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does nothing: every value was written with its step."""

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the files."""
        with self._warning():
            super().on_train_end(logs)

    def _write_step(self) -> None:
        progress = self._progress
        values = {
            "learning_rate": progress.learning_rate,
            "tokens_per_second": progress.tokens_per_second,
            "gradient_norm": progress.gradient_norm,
        }
        with self._warning():
            with self._train_writer.as_default(progress.step):
                self._write(progress.window_scores, values)
            if progress.scores is not None:
                with self._val_writer.as_default(progress.step):
                    self._write(progress.scores, {})
                    if progress.sample:
                        self.summary.text("sample", _as_markdown(progress.sample))
            self._fails = False

    def _write(self, scores: Scores, values: dict[str, float]) -> None:
        """Writes the scores, under the same names for both texts, and other values."""
        named = {"loss": scores.loss, "perplexity": scores.perplexity, "bits_per_character": scores.bits_per_character}
        for name, value in {**named, **values}.items():
            if value <= _LARGEST_FLOAT32:
                self.summary.scalar(name, value)

    @contextlib.contextmanager
    def _warning(self) -> Iterator[None]:
        """Turns errors into a single warning, because training must not end over TensorBoard's curves.

        Keras would take some of TensorFlow's errors for the end of the data.
        """
        try:
            yield
        except (OSError, TextgenError, tf.errors.OpError) as error:
            self._writers.clear()
            if not self._fails:
                reason = reason_of(error)
                self._console.warn(
                    f"cannot write TensorBoard's files in {self.log_dir} (since step {self._progress.step}): {reason}; "
                    "training continues"
                )
            self._fails = True


def _as_markdown(text: str) -> str:
    """Indents a text by four spaces, so that TensorBoard's text tab shows it verbatim."""
    return "\n".join(f"    {line}" for line in text.split("\n"))
