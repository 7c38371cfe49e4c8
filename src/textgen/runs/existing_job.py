"""Reads an existing job: its settings, its evaluations, and whether a run may resume it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from textgen.config import TrainingConfig, shape
from textgen.config.yaml_text import from_yaml
from textgen.corpus import Corpus, LaterTokenizerError, Vocabulary, all_versions, keep_split, replace_vocabulary
from textgen.errors import DataError, FormatError, MissingError, UsageError, named
from textgen.formatting import described, percent
from textgen.jobs import CheckpointStore, JobDirectory, JobState, read_config
from textgen.storage import parse_object, read_text

START_OVER = f"use {named('fresh')} to start over"
"""Advice about a job that cannot be resumed."""

_SETTINGS_OF_TEXT = ("encoding", "unwrap", "valid_fraction")
"""Changing one of these changes the text, although its files are the same."""


@dataclass(frozen=True)
class Found:
    """The job that a run resumes.

    Attributes:
        corpus: the text, with the vocabulary of the job.
        state: the state of the job; None if it has not started.
        remark: a line about a changed text, to print; empty if the text has not changed.
    """

    corpus: Corpus
    state: JobState | None = None
    remark: str = ""


def notes_start(path: Path) -> bool:
    """Returns whether a job's `config.yaml` contains `init_from`, which earlier versions of textgen did not have.

    Args:
        path: the file, which `read_config` can read.
    """
    return "init_from" in from_yaml(read_text(path), str(path))


def check_job(job: JobDirectory, config: TrainingConfig, corpus: Corpus, *, allow_changed_data: bool = False) -> Found:
    """Checks that a job, if it exists, has the model and the text of this run.

    Args:
        job: the job directory.
        config: the settings of this run.
        corpus: the text of this run, with the vocabulary made from it.
        allow_changed_data: whether the job may resume with a different text or vocabulary file.

    Returns:
        The job to resume.

    Raises:
        FormatError: if the job's model has a different shape, or its files are damaged.
        MissingError: if the text has changed, and the job's vocabulary is missing.
        DataError: if the job was trained on a different text, unless that is allowed and the job's vocabulary covers
            enough of it.
    """
    if not job.exists:
        return Found(corpus)
    before = read_config(job.config, START_OVER)
    _check_shape(job, before, config)
    state = JobState.find(job.state)
    vocabulary = _find_vocabulary(job, corpus, state, config.vocab_size)
    if vocabulary is not None:
        corpus = keep_split(corpus, vocabulary.tokenizer, config.vocab_size)
    changed = _find_change(corpus, state, vocabulary)
    if changed and not allow_changed_data:
        causes = _differences(_values(before, _SETTINGS_OF_TEXT), _values(config, _SETTINGS_OF_TEXT))
        because, keep = (f" ({causes})", "give the job's value, ") if causes else ("", "")
        raise DataError(
            f"{job} was trained on a different {changed}{because}; {keep}name another {named('job_dir')} or "
            f"{named('data_prefix')}, {START_OVER}, or use {named('allow_changed_data')} to resume with the text as it is now"
        )
    if changed and vocabulary is None:
        raise MissingError(
            f"{job} was trained on a different {changed}, and its vocabulary, {job.vocabulary}, is missing; "
            f"restore it, or {START_OVER}"
        )
    if vocabulary is None or (not changed and vocabulary.sha256 == corpus.vocabulary.sha256):
        return Found(corpus, state)
    advice = f"give a text closer to the one that the job started with, or {START_OVER}"
    corpus, lacking = replace_vocabulary(corpus, vocabulary, job.vocabulary, advice)
    if not changed:
        return Found(corpus, state)
    share = f"; {percent(lacking)} of the tokens are not in it and are read as [UNK]" if lacking else ""
    return Found(corpus, state, f"The {changed} has changed: the job keeps its own vocabulary{share}")


def read_vocabulary(path: Path) -> Vocabulary:
    """Reads and verifies a job's `vocabulary.json`.

    Raises:
        FormatError: if it is damaged.
        TextgenError: if it cannot be read.
    """
    found = parse_object(read_text(path))
    if found is None:
        raise FormatError("it is not a JSON object")
    return Vocabulary.from_json(found)


def check_movable(job: JobDirectory) -> None:
    """Checks that a directory contains only a job, so that `fresh` may rename it.

    Raises:
        UsageError: if it contains anything else, or is given without a name, as `.` or `..`.
    """
    if job.root.name in {"", ".."}:
        raise UsageError(
            f"{named('fresh')} cannot rename {job.root}; give {named('job_dir')} the name of that directory"
        )
    if job.is_empty:
        return
    job.refuse_strangers(path.name for path in job.root.iterdir())
    if not job.exists and not job.vocabulary.exists():
        raise UsageError(f"{named('fresh')} renames a job, and {job.root} is not one; name another {named('job_dir')}")


def _check_shape(job: JobDirectory, before: TrainingConfig, config: TrainingConfig) -> None:
    differences = _differences(shape(before), shape(config))
    if differences:
        raise FormatError(
            f"{job} contains a model of a different shape: {differences}; "
            f"name another {named('job_dir')}, or {START_OVER}"
        )


def _values(config: TrainingConfig, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names}


def _differences(job: dict[str, Any], run: dict[str, Any]) -> str:
    """Returns, in words, the settings that differ between the job and this run; empty if there are none."""
    return ", ".join(
        f"{name} is {described(job[name])} in the job and {described(run[name])} in this run"
        for name in run
        if job[name] != run[name]
    )


def _find_change(
    corpus: Corpus, state: JobState | None, vocabulary: Vocabulary | None
) -> Literal["text", "vocabulary"] | None:
    """Returns whether the text, or only its vocabulary, differs from the job's; None if neither does.

    A text that was changed with `allow_changed_data` is the job's text from then on, so the next run does not need the flag.
    The vocabulary made from such a text is not the job's. So once the job has started, a different vocabulary counts as a
    change only if it comes from a vocabulary file.
    """
    if state is not None and state.data_sha256 != corpus.sha256:
        return "text"
    if vocabulary is None or vocabulary.sha256 == corpus.vocabulary.sha256:
        return None
    from_file = any(each.tokenizer.vocabulary_from_file for each in (vocabulary, corpus.vocabulary))
    return "vocabulary" if state is None or from_file else None


def _find_vocabulary(
    job: JobDirectory, corpus: Corpus, state: JobState | None, vocab_size: int | None
) -> Vocabulary | None:
    """Returns the job's vocabulary, rebuilt from the text if the file is missing; None if that is another text.

    Raises:
        FormatError: if the file is damaged, or was written by a later version of textgen.
        MissingError: if it is missing, and the text gives a different one.
    """
    same_text = state is None or state.data_sha256 == corpus.sha256
    if not job.vocabulary.exists():
        vocabulary = _rebuild_vocabulary(corpus, job, vocab_size) if same_text else None
        if vocabulary is None and same_text and state is not None:
            raise MissingError(
                f"{job.vocabulary} is missing, and cannot be rebuilt from the text as it is now; restore it, or {START_OVER}"
            )
        return vocabulary
    try:
        return read_vocabulary(job.vocabulary)
    except LaterTokenizerError as error:
        raise FormatError(f"{job.vocabulary}: {error}") from error
    except FormatError as error:
        can_go = same_text and _rebuild_vocabulary(corpus, job, vocab_size) is not None
        advice = "remove it, and training rebuilds it from the text" if can_go else f"restore it, or {START_OVER}"
        raise FormatError(f"{job.vocabulary} is damaged; {advice}") from error


def _rebuild_vocabulary(corpus: Corpus, job: JobDirectory, vocab_size: int | None) -> Vocabulary | None:
    """Makes the vocabulary of the newest checkpoint from the text, by any version of the split.

    Returns:
        The vocabulary; None if the text gives another one, as it does if it has ever changed.
    """
    own = corpus.vocabulary
    checkpoint = CheckpointStore(job.checkpoints).newest(lambda _: None)
    if checkpoint is None:
        return own
    sha256 = checkpoint.facts.get("vocabulary_sha256")
    vocabularies = (keep_split(corpus, each, vocab_size).vocabulary for each in all_versions(own.tokenizer))
    return next((vocabulary for vocabulary in vocabularies if vocabulary.sha256 == sha256), None)
