"""Chooses the settings that the user left open: the model, and how to train it. Does not load TensorFlow."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Iterable, Mapping
from typing import Any

from textgen.config import PLACEHOLDER, TrainingConfig, job_name, settings, shape
from textgen.corpus import Corpus
from textgen.errors import TextgenError, named
from textgen.jobs import JobDirectory, read_config
from textgen.planning import (
    CHOSEN_SETTINGS,
    LIMITS_BY_PASSES,
    SHAPE_SETTINGS,
    Choice,
    choose,
    shape_values,
)
from textgen.runs.existing_job import START_OVER, notes_start
from textgen.runs.request import Request


def complete(
    request: Request, corpus: Corpus, *, started: Mapping[str, Any] | None = None
) -> tuple[TrainingConfig, tuple[Choice, ...]]:
    """Chooses the settings that were not given: how to train the model and, if time is the limit, its shape and the passes.

    Once a setting of the shape or `config` is given, the other settings of the shape keep their defaults, so that the job keeps
    its name.

    Args:
        request: the request for the run. The given settings are not changed.
        corpus: the text.
        started: the shape of the model that training starts from, the `SHAPE_SETTINGS` by name; None for new weights.

    Returns:
        The settings, and the choices that were made.
    """
    config = request.config
    shape = shape_values(config) if request.minutes_to_choose_for is None else None
    # With a chosen number of passes, the default minutes would no longer apply.
    config = dataclasses.replace(config, minutes=config.time_limit)
    choices = []
    for choice in choose(
        config.minutes,
        corpus.train.characters,
        config.language_model,
        request.device,
        unroll_steps=config.unroll_steps,
        cores=request.cores,
        batch_size=config.batch_size if "batch_size" in request.given else None,
        eval_steps=config.eval_steps,
        shape=shape,
        started=started,
    ):
        left_open = {name: value for name, value in choice.settings.items() if name not in request.given}
        if left_open:
            choices.append(Choice(left_open, choice.reason))
            config = dataclasses.replace(config, **left_open)
    return config, tuple(choices)


def keep_choice(request: Request, job: JobDirectory) -> TrainingConfig:
    """Takes the settings that were not given from an existing job, if they would be chosen for a new one.

    `epochs` and `patience` are taken only if time limits both the job so far and this run. If it limits only this run, they are those
    of a new job, or none if an earlier version of textgen made the job. If it does not limit this run, they are none.

    Args:
        request: the request for the run. Of its settings, those that were not given have the values for a new job.
        job: the job, which exists.

    Returns:
        The settings.

    Raises:
        TextgenError: if the job's settings cannot be read.
    """
    before, config = read_config(job.config, START_OVER), request.config
    kept = {name for name in CHOSEN_SETTINGS if name not in request.given} - set(LIMITS_BY_PASSES)
    if not request.leaves_model_open or PLACEHOLDER in config.job_dir:
        kept -= set(SHAPE_SETTINGS)  # the job was found by its shape
    elif "precision" not in request.given and shape(before)["use_fp16"]:
        kept.add("precision")
    config = with_settings(config, before, kept)
    if config.time_limit is not None and before.time_limit is not None:
        limits = before
    elif config.time_limit is not None and notes_start(job.config):
        limits = config
    else:
        limits = dataclasses.replace(before, epochs=None, patience=None)
    return with_settings(config, limits, (name for name in LIMITS_BY_PASSES if name not in request.given))


def other_models(config: TrainingConfig, job: JobDirectory, prefix: str) -> str:
    """Returns a remark about an existing local job with the same prefix but another model; empty if there is none.

    Args:
        config: the settings, including the chosen ones.
        job: the job of the chosen model; it does not exist yet.
        prefix: the first part of the job's name.
    """
    if job.uri is not None:
        return ""
    try:
        others = sorted(path.parent for path in job.root.parent.glob(f"{glob.escape(prefix)}-*/config.yaml"))
    except OSError:
        others = []
    for other in others:
        try:
            other_config = read_config(other / job.config.name, "")
        except TextgenError:
            continue
        if job_name(with_settings(config, other_config, SHAPE_SETTINGS), prefix) == other.name:
            return (
                f"{other} already exists, with another model; to resume it instead, add {shape_settings(other_config)}"
            )
    return ""


def shape_settings(config: TrainingConfig) -> str:
    """Returns the settings that select the shape of a config's model, and so the job of that shape, for a message."""
    shaping = (setting for setting in settings(config) if setting.name in SHAPE_SETTINGS)
    return " ".join(
        named(setting.as_argument(getattr(config, setting.name)).removeprefix("--"))
        for setting in shaping
        if setting.option.in_every_job_name or getattr(config, setting.name) != setting.default
    )


def with_settings(config: TrainingConfig, other: TrainingConfig, names: Iterable[str]) -> TrainingConfig:
    """Returns the settings, the named ones with another config's values."""
    return dataclasses.replace(config, **{name: getattr(other, name) for name in names})
