"""Resumes a model from a checkpoint, and prints which settings have changed since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.config import DEFAULT_MINUTES, TrainingConfig, settings
from textgen.config.values import replace_switches
from textgen.console import Console
from textgen.errors import DataError, named
from textgen.formatting import described
from textgen.jobs import Checkpoint
from textgen.model import LanguageModel
from textgen.training.capture import restore
from textgen.training.progress import Progress

_STREAM_SETTINGS = ("batch_size", "unroll_steps", "seed")
"""Changing one of these changes the streams, so neither the position in the text nor the LSTM states fit any longer."""
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
    """Restores a model and its progress from a checkpoint.

    Args:
        model: the compiled model; its variables are assigned.
        progress: updated in place.
        checkpoint: the checkpoint.
        config: the settings of this run; each difference from the checkpoint's settings is printed.
        data_sha256: the hash of this run's text.
        vocabulary_sha256: the hash of its vocabulary.
        allow_changed_data: whether the text may differ from the checkpoint's.
        console: prints the differences.

    Returns:
        Whether the LSTM states match the position in the text. If not, the epoch restarts with zero states.

    Raises:
        DataError: if the checkpoint belongs to another text, which is not allowed, or to another vocabulary.
    """
    other_text = checkpoint.facts["data_sha256"] != data_sha256
    if other_text and not allow_changed_data:
        raise DataError(
            f"the checkpoint of step {checkpoint.step} belongs to another text; name another {named('job_dir')}, use {named('fresh')} to "
            f"start over, or use {named('allow_changed_data')} to resume with the changed text"
        )
    if checkpoint.facts["vocabulary_sha256"] != vocabulary_sha256:
        raise DataError(
            f"the checkpoint of step {checkpoint.step} belongs to another vocabulary than this run's; restore the job's own "
            f"vocabulary.json, name another {named('job_dir')}, or use {named('fresh')} to start over"
        )
    before = replace_switches(settings(config), checkpoint.facts["config"])
    changed = [name for name in _STREAM_SETTINGS if before.get(name) != getattr(config, name)]
    restarts = other_text or bool(changed)
    same_optimizer = before.get("optimizer") == config.optimizer
    missing = restore(model, checkpoint.tensors, optimizer=same_optimizer, states=not restarts)
    progress.restore(checkpoint.facts["progress"])

    console.say(f"Resuming from step {progress.step} (epoch {progress.epochs:.2f})")
    _say_settings(config, before, console)
    if not same_optimizer:
        console.say("  the optimizer has changed: its slots start at zero")
    if before.get("learning_rate") != config.learning_rate:
        progress.rollbacks = 0
    was, now = _with_default_minutes(before), _with_default_minutes(vars(config))
    if restarts or any(was[name] != now[name] for name in _LIMITS):
        progress.forget_total()
    if before.get("dropout") != config.dropout:
        progress.dropout = None
    if other_text:
        progress.forget_best()
        console.say("  the text has changed: the epoch restarts, and the next evaluation becomes the best")
    elif changed:
        console.say(f"  {', '.join(changed)} changed: the epoch restarts")
    if restarts:
        progress.epoch_step = 0
        progress.scored_step = progress.step  # otherwise it would be evaluated as the end of an epoch
    _say_missing(missing, console)
    return not restarts and progress.epoch_step > 0


def _say_settings(config: TrainingConfig, before: Mapping[str, Any], console: Console) -> None:
    """Prints the settings that have changed."""
    known = list(settings(config))
    was = _with_default_minutes(
        {setting.name: before.get(setting.name, setting.value_in_older_jobs) for setting in known}
    )
    now = _with_default_minutes(vars(config))
    for setting in known:
        old, new = was[setting.name], now[setting.name]
        if setting.option.group in {"model", "training", "evaluation"} and old != new:
            console.say(f"  {setting.name} is now {described(new)} (it was {described(old)})")


def _with_default_minutes(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that applied: where nothing else limits a run, `DEFAULT_MINUTES` does."""
    limits = {name: values.get(name) for name in _LIMITS}
    unlimited = all(limit is None for limit in limits.values())
    return {**values, **limits, "minutes": DEFAULT_MINUTES if unlimited else limits["minutes"]}


def _say_missing(names: list[str], console: Console) -> None:
    """Prints the variables that the checkpoint lacks. Dropout's, which depend on the settings, get one line together."""
    generators = [name for name in names if "seed_generator" in name]
    if generators:
        console.say("  dropout starts with fresh random numbers")
    for name in names:
        if name not in generators:
            console.say(f"  the checkpoint has no {name}: it starts at its initial value")
