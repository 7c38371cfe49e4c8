"""Finds the model that training starts from, and checks that it suits the text, before TensorFlow is loaded."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.config import TrainingConfig
from textgen.corpus import UNKNOWN_ID, Corpus, count_tokens
from textgen.errors import DataError, FormatError, MissingError, UsageError, named
from textgen.formatting import described, percent
from textgen.jobs import CheckpointStore, JobDirectory
from textgen.planning import shape_values
from textgen.runs.existing_job import START_OVER
from textgen.runs.find_job import find_job
from textgen.storage import BASE, base_path, is_bucket

if TYPE_CHECKING:
    from textgen.generation import ModelFile

AUTO, NONE = "auto", "none"
"""The values of `init_from` that name no model."""

_LEAST_MATCHED = 0.5


@dataclass(frozen=True)
class Start:
    """What training starts from.

    Attributes:
        init_from: the value of the setting: `none`, `base`, or the path or URI of a model.
        model: the model; None if training starts from scratch.
        description: a line for the plan, with the reason for an automatic choice; empty for an existing job, and if the user
            chose to start from scratch.
    """

    init_from: str = NONE
    model: ModelFile | None = None
    description: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the model is a file that only this machine has."""
        return self.init_from not in {NONE, BASE} and not is_bucket(self.init_from)

    @property
    def shape(self) -> dict[str, Any] | None:
        """The settings that shape the model's network; None if training starts from scratch."""
        return None if self.model is None else shape_values(self.model.shape)


def open_start(init_from: str) -> Start:
    """Opens the model that the user or an existing job names.

    Args:
        init_from: the value of the setting, not `auto`.

    Raises:
        TextgenError: if there is no such model, or it cannot be used.
    """
    from textgen.generation.model_place import open_model

    if init_from == NONE:
        return Start()
    if init_from == BASE:
        return Start(BASE, open_model(base_path()), "from the base model")
    try:
        place = find_job(init_from, "name a job, a model file or base")
    except MissingError as error:
        raise MissingError(f"cannot start from {named('init_from')} {init_from}: {error}") from error
    return Start(place, open_model(place), f"from {place}")


def check_start(start: Start, config: TrainingConfig, corpus: Corpus) -> None:
    """Checks that the weights of a model can be used for a text.

    Args:
        start: what training starts from.
        config: the settings of the run.
        corpus: the text.

    Raises:
        UsageError: if the model has other tokens.
        DataError: if it knows less than half of the tokens in the text.
    """
    from textgen.generation.vocabulary_transfer import match_tokens, matched_share

    if start.model is None:
        return
    known, wanted = start.model.vocabulary, corpus.vocabulary
    if not known.tokenizer.is_like(wanted.tokenizer):
        raise UsageError(
            f"{named('init_from')} {start.init_from} is a model of {known.tokenizer.noun}, but this run needs one of "
            f"{wanted.tokenizer.noun}; name another model, or change {named('language_model')}, which is {config.language_model}"
        )
    if not known.unknown(wanted.tokens):
        return
    import numpy as np

    found = count_tokens([corpus.train], wanted.tokenizer)
    counts = np.bincount(wanted.ids(found), list(found.values()), wanted.size)
    matches = match_tokens(known, wanted, counts)
    if wanted.tokenizer.whole_words:  # spaces and punctuation, more than half of a text, are known in any language
        is_word = [any(map(str.isalnum, token)) for token in wanted.tokens]
        counts = np.where(is_word, counts, 0)
        counts[UNKNOWN_ID] = 0
    share = matched_share(matches, counts) if counts.any() else 1.0
    if share < _LEAST_MATCHED:
        raise DataError(
            f"{named('init_from')} {start.init_from} must know at least half of the {wanted.tokenizer.noun} in the "
            f"training text, got {percent(share)}; name a model of a similar text, or none"
        )


def take_shape(start: Start, config: TrainingConfig, given: Collection[str]) -> TrainingConfig:
    """Takes the shape of the model that training starts from, and records which model that is.

    Args:
        start: what training starts from.
        config: the settings; those that were not given have their defaults.
        given: the names of the settings that were given.

    Raises:
        UsageError: if a given setting differs from the model's.
    """
    shape = start.shape or {}
    for name, value in shape.items():
        if name in given and value != getattr(config, name):
            raise UsageError(
                f"{named('init_from')} {start.init_from} has {name} {described(value)}, got {named(name)} "
                f"{described(getattr(config, name))}; leave out one of the two"
            )
    return dataclasses.replace(config, init_from=start.init_from, **shape)


def find_model(start: Start, job: JobDirectory, config: TrainingConfig, corpus: Corpus) -> ModelFile | None:
    """Finds the model whose weights a job starts with; for an existing job without a checkpoint, it is read again.

    Args:
        start: what the job starts from; for an existing job, without the model.
        job: the job, locked.
        config: the settings of the run.
        corpus: the text, with the vocabulary of the job.

    Returns:
        The model; None if the job starts from scratch, or has a checkpoint.

    Raises:
        FormatError: if the model has another shape than the job.
        TextgenError: if there is no such model any more, or it cannot be used.
    """
    if start.init_from == NONE or CheckpointStore(job.checkpoints).steps():
        return None
    if start.model is not None:
        return start.model
    start = open_start(start.init_from)
    check_start(start, config, corpus)
    for name, value in (start.shape or {}).items():
        if value != getattr(config, name):
            raise FormatError(
                f"{start.init_from}, which {job} starts from, now has {name} {described(value)}, and the job has "
                f"{described(getattr(config, name))}; restore that model, or {START_OVER}"
            )
    return start.model


def kept_start(job: JobDirectory, before: TrainingConfig, wanted: str) -> str:
    """Returns what an existing job started from.

    Args:
        job: the job.
        before: its settings.
        wanted: what the command names, or `auto`.

    Raises:
        UsageError: if the command names something else.
    """
    kept = NONE if before.init_from == AUTO else before.init_from
    if wanted != AUTO and not _is_same(kept, wanted):
        raise UsageError(
            f"{named('init_from')} is {kept} in {job}, got {wanted}, and cannot change after the start; leave it out, "
            f"name another {named('job_dir')}, or {START_OVER}"
        )
    return kept


def _is_same(kept: str, wanted: str) -> bool:
    """Returns whether two values of `init_from` name the same start; the second can be the name of a job below `job/`."""
    if kept == wanted or {kept, wanted} & {NONE, BASE}:
        return kept == wanted
    if is_bucket(kept) or is_bucket(wanted):
        return kept.rstrip("/") == wanted.rstrip("/")
    return os.path.realpath(kept) in {os.path.realpath(path) for path in (wanted, Path("job", wanted))}


def check_other_job(init_from: str, job: JobDirectory) -> None:
    """Checks that a job would not start from itself.

    Raises:
        UsageError: if the model is the job's own.
    """
    if init_from in {NONE, BASE}:
        return
    if is_bucket(init_from):
        own = job.uri is not None and init_from.rstrip("/") in {job.uri, f"{job.uri}/{job.model.name}"}
    else:
        path = os.path.realpath(init_from)
        own = path in {os.path.realpath(place) for place in (job.root, job.model)}
    if own:
        raise UsageError(
            f"{named('init_from')} must be another model than the job's own, got {init_from}; leave it out to resume that job, "
            f"or name another {named('job_dir')}"
        )
