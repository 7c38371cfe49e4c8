"""Evaluates a model that learns while it reads, for `textgen eval --dynamic`, and shows the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from textgen.cli.entry import ending_at_once
from textgen.console import Console
from textgen.runs.tensorflow_loading import loading_tensorflow

if TYPE_CHECKING:
    from textgen.evaluation import Scores
    from textgen.evaluation.evaluated_text import EvaluatedText
    from textgen.generation import ModelFile

_SECONDS_PER_LINE = 10.0
"""The time between two lines of progress in a pipe."""


def evaluate_learning(console: Console, model: ModelFile, text: EvaluatedText) -> Scores:
    """Loads TensorFlow and evaluates the model, as `evaluate_dynamically` does."""
    with loading_tensorflow(console), ending_at_once():
        from textgen.training.dynamic_evaluation import evaluate_dynamically
    with _showing(console) as show:
        return evaluate_dynamically(model, text, show)


@contextmanager
def _showing(console: Console) -> Iterator[Callable[[str, float], None]]:
    """Yields a function that shows what is being done and the share that is done: as a live line on a terminal, else as a line now and then."""
    if console.is_terminal:
        with console.progress() as live:
            task = live.add_task("", total=1.0)
            yield lambda doing, share: live.update(task, description=f"{doing}  {share:.0%} done", completed=share)
        return
    last = time.monotonic()

    def show(doing: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_PER_LINE:
            last = time.monotonic()
            console.say(f"{doing}  {share:.0%} done")

    yield show
