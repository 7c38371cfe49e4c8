"""How many steps to make in one call of TensorFlow; knows nothing of what comes between them.

Between two calls Python counts, shows, evaluates and saves, while the processor waits. So short steps are made several at a
time, up to the next at which there is something to do: results do not depend on how many they are.
"""

from __future__ import annotations

from textgen.config import TrainingConfig
from textgen.model import MOST_STEPS_PER_CALL
from textgen.training.progress import REPORT_STEPS, Progress

_CALL_SECONDS = 0.25
"""Of one call, about: short enough to look alive and to obey Ctrl-C, and a hundred times what a call costs by itself."""


def next_steps(progress: Progress, config: TrainingConfig) -> int:
    """The number of steps to make now, at least 1 and at most `MOST_STEPS_PER_CALL`.

    Args:
        progress: where training stands, before the first of them.
        config: says at which steps something is due.
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
