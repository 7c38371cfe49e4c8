"""Chooses how many training steps to run in one call of TensorFlow.

Between two calls Python updates the display, evaluates and saves while the processor waits. So several short steps run in
one call, up to the next step at which something is due. The results do not depend on the number.
"""

from __future__ import annotations

from textgen.config import TrainingConfig
from textgen.model import MOST_STEPS_PER_CALL
from textgen.training.progress import REPORT_STEPS, Progress

_CALL_SECONDS = 0.25
"""How long one call should take: short enough to respond to Ctrl-C, and about 100 times the overhead of a call."""


def next_steps(progress: Progress, config: TrainingConfig) -> int:
    """Returns the number of steps to run now, from 1 to `MOST_STEPS_PER_CALL`.

    Args:
        progress: the progress so far.
        config: the settings; they decide at which steps something is due.
    """
    speed = progress.run_steps / progress.run_seconds if progress.run_seconds else 0.0
    limits = [
        max(1, int(speed * _CALL_SECONDS)),
        MOST_STEPS_PER_CALL,
        REPORT_STEPS - progress.window_steps,
        progress.steps_per_epoch - progress.epoch_step,
    ]
    limits += [every - progress.epoch_step % every for every in (config.eval_steps, config.save_steps) if every]
    if config.max_steps is not None:
        limits.append(max(1, config.max_steps - progress.step))
    return min(limits)
