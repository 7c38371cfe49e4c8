"""Decides whether a run may go on with the job it finds, and with which vocabulary; loads nothing heavy, so that a refusal comes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from textgen.cli.job_config import read_config
from textgen.config import TrainingConfig, shape
from textgen.corpus import Corpus, Vocabulary, keep_split, replace_vocabulary
from textgen.errors import DataError, FormatError, MissingError, UsageError
from textgen.jobs import JobDirectory, JobState
from textgen.storage import parse_object, read_text


@dataclass(frozen=True)
class Found:
    """What a run goes on with.

    Attributes:
        corpus: the text, with the vocabulary of the job.
        state: how far the job is; None when it has not begun.
        remark: what is to be said of the text, if anything.
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
        allow_changed_data: whether the job may go on with another text than it has, or one of another vocabulary.

    Returns:
        What to go on with.

    Raises:
        FormatError: when the job has another shape, or its files are damaged.
        MissingError: when the text has changed, and the job's vocabulary is gone.
        DataError: when the job was trained on another text; also when that is allowed, but its vocabulary lacks too much
            of this one.
    """
    if not job.exists:
        return Found(corpus)
    _check_shape(job, config)
    state = JobState.find(job.state)
    vocabulary = _read_vocabulary(job) if job.vocabulary.exists() else None
    if vocabulary is not None:
        corpus = keep_split(corpus, vocabulary.tokenizer, config.vocab_size)
    changed = _find_change(corpus, state, vocabulary)
    if changed and not allow_changed_data:
        raise DataError(
            f"{job} was trained on another {changed}; name another --job_dir or --data_prefix, begin anew with "
            "--fresh, or go on with the text as it is now with --allow_changed_data"
        )
    if changed and vocabulary is None:
        raise MissingError(
            f"{job} was trained on another {changed}, and {job.vocabulary}, to read this one with, is gone; "
            "restore it, or begin anew with --fresh"
        )
    if vocabulary is None or (not changed and vocabulary.sha256 == corpus.vocabulary.sha256):
        return Found(corpus, state)
    advice = "give a text more like the one that the job began with, or begin anew with --fresh"
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


def check_movable(job: JobDirectory) -> None:
    """Checks that `--fresh` moves a job aside, and not a directory that merely has its name.

    Raises:
        UsageError: when the directory holds other things, or has no name of its own.
    """
    if job.root.name in {"", ".."}:
        raise UsageError(f"--fresh cannot move {job.root} aside; give --job_dir the directory's own name")
    if not job.exists and not job.vocabulary.exists() and not job.is_empty:
        raise UsageError(f"--fresh moves a job aside, and {job.root} holds other things; name another --job_dir")


def _check_shape(job: JobDirectory, config: TrainingConfig) -> None:
    before = read_config(job.config, "begin anew with --fresh")
    old, new = shape(before), shape(config)
    differing = [f"{name} {old[name]} and not {new[name]}" for name in new if old[name] != new[name]]
    if differing:
        raise FormatError(
            f"{job} holds a model of another shape, with {', '.join(differing)}; "
            "name another --job_dir, or begin anew with --fresh"
        )


def _find_change(
    corpus: Corpus, state: JobState | None, vocabulary: Vocabulary | None
) -> Literal["text", "vocabulary"] | None:
    """What of the text is not as the job has it.

    A text that was changed on purpose once is the job's own from then on, though its own vocabulary is not that of the
    job; so the next run needs no leave for it. Only a vocabulary file can change while the text does not.
    """
    if state is not None and state.data_sha256 != corpus.sha256:
        return "text"
    if vocabulary is None or vocabulary.sha256 == corpus.vocabulary.sha256:
        return None
    from_file = "spaced" in {vocabulary.tokenizer.name, corpus.vocabulary.tokenizer.name}
    return "vocabulary" if state is None or from_file else None


def _read_vocabulary(job: JobDirectory) -> Vocabulary:
    found = parse_object(read_text(job.vocabulary))
    if found is None:
        raise FormatError(f"{job.vocabulary} is damaged; begin anew with --fresh")
    try:
        return Vocabulary.from_json(found)
    except FormatError as error:
        raise FormatError(f"{job.vocabulary}: {error}") from error
