"""Decides whether a run may go on with the job directory it finds; loads nothing heavy, so that a refusal comes at once."""

from __future__ import annotations

import json
from typing import Any

from textgen.cli.job_config import read_config
from textgen.config import TrainingConfig, shape
from textgen.corpus import Corpus, Vocabulary
from textgen.errors import DataError, FormatError, UsageError
from textgen.jobs import JobDirectory, JobState
from textgen.storage import read_text


def check_job(job: JobDirectory, config: TrainingConfig, corpus: Corpus) -> JobState | None:
    """Checks that a job directory, if there is one, belongs to this model and this text.

    Args:
        job: the directory.
        config: the settings of this run.
        corpus: its text.

    Returns:
        How far the job is; None when it has not begun.

    Raises:
        FormatError: when the job has another shape, or its files are damaged.
        DataError: when it was trained on another text.
    """
    if not job.exists:
        return None
    before = read_config(job.config, "begin anew with --fresh")
    old, new = shape(before), shape(config)
    differing = [f"{name} {old[name]} and not {new[name]}" for name in new if old[name] != new[name]]
    if differing:
        raise FormatError(
            f"{job.root} holds a model of another shape, with {', '.join(differing)}; "
            "name another --job_dir, or begin anew with --fresh"
        )
    state = JobState.read(job.state) if job.state.exists() else None
    if state is not None and state.data_sha256 != corpus.sha256:
        raise DataError(
            f"{job.root} was trained on another text; name another --job_dir or --data_prefix, or begin anew with --fresh"
        )
    if job.vocabulary.exists() and _read_vocabulary(job).sha256 != corpus.vocabulary.sha256:
        raise DataError(
            f"{job.root} has another vocabulary; name another --job_dir or --data_prefix, or begin anew with --fresh"
        )
    return state


def last_evaluation(job: JobDirectory) -> dict[str, Any]:
    """The last line of metrics.jsonl; empty when there is none."""
    if not job.metrics.exists():
        return {}
    lines = read_text(job.metrics).splitlines()
    found = _parse_object(lines[-1]) if lines else {}
    if found is None:
        raise FormatError(f"{job.metrics} is damaged in its last line; remove that line")
    return found


def check_movable(job: JobDirectory) -> None:
    """Checks that `--fresh` moves a job aside, and not a directory that merely has its name.

    Raises:
        UsageError: when the directory holds other things, or has no name of its own.
    """
    if job.root.name in {"", ".."}:
        raise UsageError(f"--fresh cannot move {job.root} aside; give --job_dir the directory's own name")
    if not job.exists and not job.vocabulary.exists() and not job.is_empty:
        raise UsageError(f"--fresh moves a job aside, and {job.root} holds other things; name another --job_dir")


def _read_vocabulary(job: JobDirectory) -> Vocabulary:
    found = _parse_object(read_text(job.vocabulary))
    if found is None:
        raise FormatError(f"{job.vocabulary} is damaged; begin anew with --fresh")
    try:
        return Vocabulary.from_json(found)
    except FormatError as error:
        raise FormatError(f"{job.vocabulary}: {error}") from error


def _parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text holds; None when it holds none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
