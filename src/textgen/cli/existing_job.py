"""Decides whether a run may resume the job it finds, and with which vocabulary; loads nothing heavy, so that a refusal comes at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from textgen.cli.job_config import read_config
from textgen.config import TrainingConfig, shape
from textgen.config.flags import described
from textgen.corpus import Corpus, Vocabulary, keep_split, replace_vocabulary
from textgen.corpus.tokenizers import LaterTokenizerError
from textgen.errors import DataError, FormatError, MissingError, UsageError, named
from textgen.jobs import CheckpointStore, JobDirectory, JobState
from textgen.storage import parse_object, read_text

_SETTINGS_OF_TEXT = ("encoding", "valid_fraction")
"""The same files are another text with another value of these."""


@dataclass(frozen=True)
class Found:
    """What a run resumes.

    Attributes:
        corpus: the text, with the vocabulary of the job.
        state: how far the job is; None when it has not begun.
        remark: what to tell the user about the text, if anything.
    """

    corpus: Corpus
    state: JobState | None = None
    remark: str = ""


def check_job(job: JobDirectory, config: TrainingConfig, corpus: Corpus, *, allow_changed_data: bool = False) -> Found:
    """Checks that a job directory, if there is one, belongs to this model and this text.

    Args:
        job: the directory.
        config: the settings of this run.
        corpus: its text, with the vocabulary that the text alone gives.
        allow_changed_data: whether the job may resume with another text than it has, or one of another vocabulary.

    Returns:
        What to resume.

    Raises:
        FormatError: when the job has another shape, or its files are damaged.
        MissingError: when the text has changed, and the job's vocabulary is gone.
        DataError: when the job was trained on another text; also when that is allowed, but its vocabulary lacks too much
            of this one.
    """
    if not job.exists:
        return Found(corpus)
    start_over = f"use {named('fresh')} to start over"
    before = read_config(job.config, start_over)
    _check_shape(job, before, config)
    state = JobState.find(job.state)
    vocabulary = _find_vocabulary(job, corpus, state)
    if vocabulary is not None:
        corpus = keep_split(corpus, vocabulary.tokenizer, config.vocab_size)
    changed = _find_change(corpus, state, vocabulary)
    if changed and not allow_changed_data:
        causes = _differences(_values(before, _SETTINGS_OF_TEXT), _values(config, _SETTINGS_OF_TEXT))
        because, keep = (f" ({causes})", "give the job's value, ") if causes else ("", "")
        raise DataError(
            f"{job} was trained on another {changed}{because}; {keep}name another {named('job_dir')} or "
            f"{named('data_prefix')}, {start_over}, or use {named('allow_changed_data')} to resume with the text as it is now"
        )
    if changed and vocabulary is None:
        raise MissingError(
            f"{job} was trained on another {changed}, and {job.vocabulary}, to read this one with, is gone; "
            f"restore it, or {start_over}"
        )
    if vocabulary is None or (not changed and vocabulary.sha256 == corpus.vocabulary.sha256):
        return Found(corpus, state)
    advice = f"give a text more like the one that the job began with, or {start_over}"
    corpus, lacking = replace_vocabulary(corpus, vocabulary, job.vocabulary, advice)
    if not changed:
        return Found(corpus, state)
    share = f"; {100 * lacking:.3g}% of the tokens are unknown to it and read as [UNK]" if lacking else ""
    return Found(corpus, state, f"The {changed} has changed: the job goes on with the vocabulary it has{share}")


def last_evaluation(job: JobDirectory) -> dict[str, Any]:
    """The last line of metrics.jsonl; empty when there is none."""
    if not job.metrics.exists():
        return {}
    lines = read_text(job.metrics).splitlines()
    found = parse_object(lines[-1]) if lines else {}
    if found is None:
        raise FormatError(f"{job.metrics} is damaged in its last line; remove that line")
    return found


def read_vocabulary(path: Path) -> Vocabulary:
    """Reads and verifies a job's `vocabulary.json`.

    Raises:
        FormatError: when it is damaged.
        TextgenError: when it cannot be read.
    """
    found = parse_object(read_text(path))
    if found is None:
        raise FormatError("it is no JSON object")
    return Vocabulary.from_json(found)


def check_movable(job: JobDirectory) -> None:
    """Checks that a directory holds a job and nothing else, so that `fresh` may rename it.

    Raises:
        UsageError: when it holds other things, or has no name of its own.
    """
    if job.root.name in {"", ".."}:
        raise UsageError(f"{named('fresh')} cannot rename {job.root}; give {named('job_dir')} the directory's own name")
    if job.is_empty:
        return
    job.refuse_strangers(path.name for path in job.root.iterdir())
    if not job.exists and not job.vocabulary.exists():
        raise UsageError(f"{named('fresh')} renames a job, and {job.root} holds none; name another {named('job_dir')}")


def _check_shape(job: JobDirectory, before: TrainingConfig, config: TrainingConfig) -> None:
    differences = _differences(shape(before), shape(config))
    if differences:
        raise FormatError(
            f"{job} holds a model of another shape: {differences}; "
            f"name another {named('job_dir')}, or use {named('fresh')} to start over"
        )


def _values(config: TrainingConfig, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names}


def _differences(job: dict[str, Any], run: dict[str, Any]) -> str:
    """The settings that differ between a job and this run, with both values, in words; empty if there are none."""
    return ", ".join(
        f"{name} is {described(job[name])} in the job and {described(run[name])} in this run"
        for name in run
        if job[name] != run[name]
    )


def _find_change(
    corpus: Corpus, state: JobState | None, vocabulary: Vocabulary | None
) -> Literal["text", "vocabulary"] | None:
    """Whether the text, or only its vocabulary, differs from the job's.

    A text that was changed on purpose belongs to the job from then on, although its own vocabulary is not the job's, so
    the next run does not need the flag again. Only a vocabulary file can change while the text does not.
    """
    if state is not None and state.data_sha256 != corpus.sha256:
        return "text"
    if vocabulary is None or vocabulary.sha256 == corpus.vocabulary.sha256:
        return None
    from_file = "spaced" in {vocabulary.tokenizer.name, corpus.vocabulary.tokenizer.name}
    return "vocabulary" if state is None or from_file else None


def _find_vocabulary(job: JobDirectory, corpus: Corpus, state: JobState | None) -> Vocabulary | None:
    """The job's vocabulary; None if the file is gone and the text gives the same one again.

    Raises:
        FormatError: when the file is damaged, or of a later textgen.
        MissingError: when it is gone, and the text gives another.
    """
    start_over = f"use {named('fresh')} to start over"
    if not job.vocabulary.exists():
        if state is not None and state.data_sha256 == corpus.sha256 and not _gives_vocabulary_again(corpus, job):
            raise MissingError(
                f"{job.vocabulary} is gone, and this text alone gives another vocabulary than the job's; restore it, or {start_over}"
            )
        return None
    try:
        return read_vocabulary(job.vocabulary)
    except LaterTokenizerError as error:
        raise FormatError(f"{job.vocabulary}: {error}") from error
    except FormatError as error:
        same_text = state is None or state.data_sha256 == corpus.sha256
        can_go = same_text and _gives_vocabulary_again(corpus, job)
        advice = "remove it, and training makes it anew from the text" if can_go else f"restore it, or {start_over}"
        raise FormatError(f"{job.vocabulary} is damaged; {advice}") from error


def _gives_vocabulary_again(corpus: Corpus, job: JobDirectory) -> bool:
    """Whether the text alone gives the vocabulary of the newest checkpoint. It does not if the text has ever changed."""
    checkpoint = CheckpointStore(job.checkpoints).newest(lambda _: None)
    return checkpoint is None or checkpoint.facts.get("vocabulary_sha256") == corpus.vocabulary.sha256
