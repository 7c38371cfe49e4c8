"""Shows training on the console: a live line on a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import keras

from textgen.console import Console
from textgen.planning import Plan
from textgen.training.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as LiveProgress
    from rich.progress import TaskID

PLAIN_LINE_SECONDS = 10.0
_TENS_OF_THOUSANDS = 10_000
_EVALUATIONS_TO_WARN = 3
"""The number of evaluations after the best one before overfitting is reported."""


class Display(keras.callbacks.Callback):
    """Shows the progress of training, while it is entered.

    Args:
        console: where to show it.
        plan: the limits, for the time left.
        progress: the progress of training.
    """

    def __init__(self, console: Console, plan: Plan, progress: Progress) -> None:
        super().__init__()
        self._console = console
        self._plan = plan
        self._progress = progress
        self._live: LiveProgress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0
        self._has_warned = False

    def __enter__(self) -> Self:
        """Starts the live line."""
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._live = self._console.progress()
            self._live.start()
            self._task = self._live.add_task("preparing the first step", total=1.0)
            self._live.update(self._task, completed=self._fraction)
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the live line, even when training fails."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Shows the scores of an evaluation that an earlier run left out."""
        del logs
        self._show_scores()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shows the step, and the scores if it was evaluated."""
        del batch, logs
        if self._progress.has_diverged:
            return  # its figures are not numbers, and the job returns to earlier ones
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=self._fraction, description=self._status())
        elif time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            self._console.say(f"{self._status()}  {self._fraction:.0%} done", fields=self._figures())
        self._show_scores()

    def _show_scores(self) -> None:
        if self._progress.scores is not None:
            scores = self._progress.scores
            text = f"step {self._progress.step}  validation: {scores}"
            figures = {**self._figures(), "valid_loss": scores.loss, "valid_perplexity": scores.perplexity}
            self._console.say(text, style="bold", fields=figures)
            if self._progress.sample:
                self._console.quote(self._progress.sample, style="dim")
            self._warn_of_overfitting()

    def _warn_of_overfitting(self) -> None:
        """Warns once that the model overfits, after a few evaluations have shown it."""
        progress = self._progress
        if self._has_warned or not progress.overfits or progress.stale < _EVALUATIONS_TO_WARN:
            return
        self._has_warned = True
        self._console.warn(
            f"the model is overfitting: the validation loss has not improved for {progress.stale} evaluations, but the training loss has; "
            f"the best model, from step {progress.best_step:,}, is kept"
        )

    def _figures(self) -> dict[str, float]:
        """The figures that a cloud job logs with the text."""
        progress = self._progress
        return {
            "step": progress.step,
            "epoch": progress.epochs,
            "loss": progress.window_scores.loss,
            "learning_rate": progress.learning_rate,
            "tokens_per_second": progress.tokens_per_second,
        }

    @property
    def _fraction(self) -> float:
        progress = self._progress
        return self._plan.fraction(epochs=progress.epochs, steps=progress.step, minutes=progress.minutes)

    def _status(self) -> str:
        progress = self._progress
        scores = progress.window_scores
        unknown = f" ({scores.unknown_share:.3g} [UNK])" if scores.unknown_share else ""
        return (
            f"epoch {progress.epochs:.2f}  step {progress.step}  loss {scores.loss:.3f}  "
            f"{scores.bits_per_character:.3f} bits/char{unknown}  {_rounded(progress.tokens_per_second)} tokens/s"
        )


def _rounded(speed: float) -> str:
    """A speed to three digits or so, short enough for a line of 80 columns."""
    return f"{speed:,.0f}" if speed < _TENS_OF_THOUSANDS else f"{speed / 1000:,.0f}k"
