"""Resumes from a checkpoint, and reports what has changed since; knows nothing of when checkpoints are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.config import DEFAULT_MINUTES, TrainingConfig, settings
from textgen.console import Console
from textgen.errors import DataError, named
from textgen.jobs import Checkpoint
from textgen.model import LanguageModel
from textgen.training.progress import Progress
from textgen.training.state import restore

_STREAM_SETTINGS = ("batch_size", "unroll_steps", "seed")
"""Changing one changes the streams, which then fit neither the position nor the LSTM states."""
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
    """Resumes from a checkpoint.

    Args:
        model: compiled; its variables are set.
        progress: set likewise.
        checkpoint: where to resume.
        config: the settings of this run; each that differs from the checkpoint's is reported in a line.
        data_sha256: identifies the text of this run.
        vocabulary_sha256: identifies its vocabulary.
        allow_changed_data: whether it may be another text.
        console: reports it.

    Returns:
        Whether the LSTM states are those of the position; otherwise the epoch starts over from zero states.

    Raises:
        DataError: when the checkpoint is of another text, and may not be, or has other token ids.
    """
    other_text = checkpoint.facts["data_sha256"] != data_sha256
    if other_text and not allow_changed_data:
        raise DataError(
            f"the checkpoint of step {checkpoint.step} is of another text; name another {named('job_dir')}, use {named('fresh')} to "
            f"start over, or use {named('allow_changed_data')} to resume with the text as it is now"
        )
    if checkpoint.facts["vocabulary_sha256"] != vocabulary_sha256:
        raise DataError(
            f"the checkpoint of step {checkpoint.step} has another vocabulary than this run; restore the vocabulary.json that the "
            f"job had, name another {named('job_dir')}, or use {named('fresh')} to start over"
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
    """Reports which settings have another value than before."""
    known = list(settings(config))
    was = _with_default_minutes({setting.name: before.get(setting.name, setting.default) for setting in known})
    now = _with_default_minutes(vars(config))
    for setting in known:
        old, new = was[setting.name], now[setting.name]
        if setting.option.group in {"training", "evaluation"} and old != new:
            console.say(f"  {setting.name} is now {_shown(new)} (it was {_shown(old)})")


def _with_default_minutes(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that applied: where nothing else limits a run, `DEFAULT_MINUTES` does."""
    unlimited = all(values[name] is None for name in _LIMITS)
    return {**values, "minutes": DEFAULT_MINUTES} if unlimited else values


def _say_missing(names: list[str], console: Console) -> None:
    """Reports which variables the checkpoint lacks; those of dropout, which another setting brings, in one line."""
    generators = [name for name in names if "seed_generator" in name]
    if generators:
        console.say("  dropout begins with fresh random numbers")
    for name in names:
        if name not in generators:
            console.say(f"  the checkpoint has no {name}: it begins anew")


def _shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
