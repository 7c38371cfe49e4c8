"""Goes on from a checkpoint, and says what has changed since; knows nothing of when checkpoints are made."""

from __future__ import annotations

from textgen.config import TrainingConfig, settings
from textgen.console import Console
from textgen.errors import DataError
from textgen.jobs import CheckpointStore
from textgen.model import LanguageModel
from textgen.training.progress import Progress
from textgen.training.state import restore

_STREAM_SETTINGS = ("batch_size", "unroll_steps", "seed")
"""With another value of these the streams are others, and neither position nor LSTM states fit them."""
_LIMITS = ("epochs", "max_steps", "minutes")


def resume(
    model: LanguageModel,
    progress: Progress,
    store: CheckpointStore,
    config: TrainingConfig,
    *,
    data_sha256: str,
    console: Console,
) -> bool:
    """Goes on from the newest checkpoint that verifies, if there is one.

    Args:
        model: compiled; its variables are set.
        progress: set likewise.
        store: where checkpoints lie.
        config: the settings of this run; what differs from the checkpoint's is said in one line each.
        data_sha256: identifies the text of this run.
        console: says it.

    Returns:
        Whether the LSTM states are those of the position; otherwise the epoch begins anew from zero states.

    Raises:
        DataError: when the checkpoint is of another text.
        FormatError: when there are checkpoints and none can be used.
    """
    checkpoint = store.newest(lambda problem: console.warn(f"passing over a checkpoint: {problem}"))
    if checkpoint is None:
        return False
    if checkpoint.facts["data_sha256"] != data_sha256:
        raise DataError(
            f"the checkpoints in {store.directory} are of another text; name another --job_dir or begin anew with --fresh"
        )
    before = checkpoint.facts["config"]
    changed = [name for name in _STREAM_SETTINGS if before.get(name) != getattr(config, name)]
    same_optimizer = before.get("optimizer") == config.optimizer
    missing = restore(model, checkpoint.tensors, optimizer=same_optimizer, states=not changed)
    progress.take_over(checkpoint.facts["progress"])

    console.say(f"Going on from step {progress.step} (epoch {progress.epochs:.2f})")
    for setting in settings(config):
        old, new = before.get(setting.name, setting.default), getattr(config, setting.name)
        if setting.option.group in {"training", "evaluation"} and old != new:
            console.say(f"  {setting.name} is now {new} (it was {old})")
    if not same_optimizer:
        console.say("  another optimizer: it begins with fresh slots")
    if changed or any(before.get(name) != getattr(config, name) for name in _LIMITS):
        progress.total_steps = None
    if changed:
        progress.epoch_step = 0
        console.say(f"  another {' and '.join(changed)}: the epoch begins anew")
    for name in missing:
        console.say(f"  the checkpoint has no {name}: it begins anew")
    return not changed and progress.epoch_step > 0
