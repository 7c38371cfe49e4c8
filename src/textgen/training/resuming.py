"""Goes on from a checkpoint, and says what has changed since; knows nothing of when checkpoints are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.config import TrainingConfig, settings
from textgen.console import Console
from textgen.errors import DataError, named
from textgen.jobs import Checkpoint
from textgen.model import LanguageModel
from textgen.training.progress import Progress
from textgen.training.state import restore

_STREAM_SETTINGS = ("batch_size", "unroll_steps", "seed")
"""With another value of these the streams are others, and neither position nor LSTM states fit them."""
_LIMITS = ("epochs", "max_steps", "minutes")


def resume(
    model: LanguageModel,
    progress: Progress,
    checkpoint: Checkpoint,
    config: TrainingConfig,
    *,
    data_sha256: str,
    vocabulary_sha256: str,
    allow_changed_data: bool,
    console: Console,
) -> bool:
    """Goes on from a checkpoint.

    Args:
        model: compiled; its variables are set.
        progress: set likewise.
        checkpoint: where to go on.
        config: the settings of this run; what differs from the checkpoint's is said in one line each.
        data_sha256: identifies the text of this run.
        vocabulary_sha256: identifies its vocabulary.
        allow_changed_data: whether it may be another text.
        console: says it.

    Returns:
        Whether the LSTM states are those of the position; otherwise the epoch begins anew from zero states.

    Raises:
        DataError: when the checkpoint is of another text, and may not be, or has other token ids.
    """
    other_text = checkpoint.facts["data_sha256"] != data_sha256
    if other_text and not allow_changed_data:
        raise DataError(
            f"the checkpoint of step {checkpoint.step} is of another text; name another {named('job_dir')}, begin anew with {named('fresh')}, "
            f"or go on with the text as it is now with {named('allow_changed_data')}"
        )
    if checkpoint.facts["vocabulary_sha256"] != vocabulary_sha256:
        raise DataError(
            f"the checkpoint of step {checkpoint.step} has another vocabulary, and the job's vocabulary.json is not its own; "
            f"restore that file, name another {named('job_dir')}, or begin anew with {named('fresh')}"
        )
    before = checkpoint.facts["config"]
    changed = [name for name in _STREAM_SETTINGS if before.get(name) != getattr(config, name)]
    restarts = other_text or bool(changed)
    same_optimizer = before.get("optimizer") == config.optimizer
    missing = restore(model, checkpoint.tensors, optimizer=same_optimizer, states=not restarts)
    progress.take_over(checkpoint.facts["progress"])

    console.say(f"Going on from step {progress.step} (epoch {progress.epochs:.2f})")
    _say_settings(config, before, console)
    if not same_optimizer:
        console.say("  another optimizer: it begins with fresh slots")
    if before.get("learning_rate") != config.learning_rate:
        progress.rollbacks = 0
    if restarts or any(before.get(name) != getattr(config, name) for name in _LIMITS):
        progress.total_steps = None
    if other_text:
        progress.forget_best()
        console.say("  another text: the epoch begins anew, and so does the search for the best model")
    elif changed:
        console.say(f"  another {', '.join(changed)}: the epoch begins anew")
    if restarts:
        progress.epoch_step = 0
        progress.scored_step = progress.step  # looks like the end of an epoch, and is none
    _say_missing(missing, console)
    return not restarts and progress.epoch_step > 0


def _say_settings(config: TrainingConfig, before: Mapping[str, Any], console: Console) -> None:
    """Says which settings have another value than before."""
    for setting in settings(config):
        old, new = before.get(setting.name, setting.default), getattr(config, setting.name)
        if setting.option.group in {"training", "evaluation"} and old != new:
            console.say(f"  {setting.name} is now {_shown(new)} (it was {_shown(old)})")


def _say_missing(names: list[str], console: Console) -> None:
    """Says which variables the checkpoint lacks; those of dropout, which another setting brings, in one line."""
    generators = [name for name in names if "seed_generator" in name]
    if generators:
        console.say("  dropout begins with fresh random numbers")
    for name in names:
        if name not in generators:
            console.say(f"  the checkpoint has no {name}: it begins anew")


def _shown(value: Any) -> str:
    """A value as the flags have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
