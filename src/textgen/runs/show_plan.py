"""Prints the plan of a training run."""

from __future__ import annotations

from collections.abc import Iterable

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.corpus import FIRST_TOKEN_ID, Corpus
from textgen.errors import named
from textgen.formatting import described, rounded
from textgen.jobs import JobDirectory, read_config
from textgen.planning import LIMITS_BY_PASSES, Choice, Devices, Plan, dropout, expected_passes, tokens_in
from textgen.runs.decision import Decision
from textgen.runs.existing_job import START_OVER, Found
from textgen.runs.request import Request
from textgen.version import __version__

UNWRAPPED = f"each paragraph is one line; {named('unwrap')} no keeps the line breaks"
"""What the plan prints about a text that is unwrapped."""


def show_plan(
    console: Console,
    plan: Plan,
    found: Found,
    job: JobDirectory,
    decision: Decision,
    *,
    request: Request,
    fresh: bool = False,
) -> None:
    """Prints the plan, and what is unusual about the job or the text.

    Args:
        console: where to print.
        plan: the plan.
        found: the existing job, if there is one, and the text.
        job: the job directory.
        decision: how the job was chosen.
        request: the request for the run.
        fresh: whether an existing job will be renamed.
    """
    from rich.filesize import decimal

    config, corpus, devices = plan.config, found.corpus, request.command.devices
    lines = {
        "text": f"{corpus.prefix}: {corpus.train.characters:,} characters for training, {corpus.valid.characters:,} for validation",
        "skipped": corpus.skipped,
        "encoding": corpus.detected,
        "unwrapped": UNWRAPPED if corpus.unwrapped else "",
        "vocabulary": f"{corpus.vocabulary.size - FIRST_TOKEN_ID:,} {corpus.vocabulary.tokenizer.description}",
        "model": plan.describe_model(),
        "start": decision.start.description,
        "training": f"{config.batch_size} x {config.unroll_steps} tokens per step, {config.optimizer}, learning rate {config.learning_rate:g}, {_describe_dropout(config, corpus, request)}",
        "workers": _describe_workers(config.batch_size, request.command.workers or 1),
        "limit": plan.limits,
        "devices": _describe_devices(devices, config.batch_size),
        "memory": _describe_memory(plan, devices, request.command.workers or 1),
        "disk": f"about {decimal(plan.disk)} for checkpoints",
        "job": f"{job} ({'existing' if job.exists and not fresh else 'new'})",
    }
    console.say(f"textgen {__version__}", style="bold")
    for name, text in lines.items():
        if text:
            console.say(f"  {name:11}{text}")
    for text in describe_choices(decision.choices):
        console.say(f"  {'chosen':11}{text}")
    kept = "" if fresh or not job.exists else _describe_kept_limits(config, job, request)
    if kept:
        console.say(f"  {'kept':11}{kept}: as in the last run")
    if decision.remark:
        console.say(decision.remark)
    if found.remark:
        console.say(found.remark)
    if corpus.warning:
        console.warn(corpus.warning)


def _describe_devices(devices: Devices, batch_size: int) -> str:
    """Returns how devices share the batch, in words; empty for one device, and if their number is known only when TensorFlow is loaded."""
    if devices == "all":
        return f"all, which share the {batch_size} streams of each step"
    if devices is None or devices == 1:
        return ""
    return f"{devices}, each with {batch_size // devices} of the {batch_size} streams of each step"


def _describe_memory(plan: Plan, devices: Devices, workers: int) -> str:
    """Returns the estimate of the memory in words."""
    from rich.filesize import decimal

    count = devices if isinstance(devices, int) else 1
    owner = " per device" if count > 1 else " per process" if workers > 1 else ""
    return f"about {decimal(plan.memory_of_device(count * workers))}{owner}"


def describe_choices(choices: Iterable[Choice]) -> list[str]:
    """Returns the choices in words, one line per reason."""
    return [
        ", ".join(f"{name} {described(value)}" for name, value in choice.settings.items()) + f": {choice.reason}"
        for choice in choices
    ]


def _describe_workers(batch_size: int, workers: int) -> str:
    """Returns how the processes of a run share its streams, in words; empty for a single process."""
    return f"{workers} processes, each with {batch_size // workers} of the {batch_size} streams" if workers > 1 else ""


def _describe_kept_limits(config: TrainingConfig, job: JobDirectory, request: Request) -> str:
    """Returns the limits that a run takes from the last one, because it is not given any, in words; empty if there are none."""
    before = read_config(job.config, START_OVER)
    values = {name: getattr(config, name) for name in LIMITS_BY_PASSES if name not in request.given}
    return ", ".join(
        f"{name} {described(value)}"
        for name, value in values.items()
        if value is not None and value == getattr(before, name)
    )


def _describe_dropout(config: TrainingConfig, corpus: Corpus, request: Request) -> str:
    """Returns the dropout that training starts with, and the number of passes that it is for, in words.

    Args:
        config: the settings.
        corpus: the text.
        request: the request for the run.
    """
    if config.dropout is not None:
        return f"dropout {config.dropout:g}"
    characters = corpus.train.characters
    tokens = tokens_in(characters, config.language_model)
    passes = expected_passes(config, tokens, request.device, request.cores)
    rate = dropout(passes, characters, config.language_model, started=config.is_started)
    return f"dropout {rate:g} for about {rounded(passes)} {'pass' if passes == 1 else 'passes'}"
