"""Verifies the checkpoints of a job, and describes what they contain; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from textgen.errors import MissingError, TextgenError
from textgen.formatting import one_line
from textgen.jobs.checkpoint import CheckpointStore


@dataclass(frozen=True)
class CheckpointFacts:
    """What a checkpoint contains.

    Attributes:
        step: the updates made.
        bytes: the size of its files.
        problem: why it cannot be used, on one line; None if it verifies. The following attributes are known only then.
        tensors: the number of tensors.
        epochs: the completed passes over the training text.
        best_step: the step of the best checkpoint when this one was written.
        vocabulary_sha256: the hash of the vocabulary that the tensors belong to.
        versions: the versions of the programs that wrote it, by their names.
    """

    step: int
    bytes: int
    problem: str | None = None
    tensors: int = 0
    epochs: int | None = None
    best_step: int | None = None
    vocabulary_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def inspect_checkpoints(store: CheckpointStore) -> list[CheckpointFacts]:
    """Reads and verifies every checkpoint, the newest first.

    Args:
        store: the checkpoints; a trainer may be writing there.
    """
    return [facts for step in store.steps() if (facts := _inspect(store, step)) is not None]


def _inspect(store: CheckpointStore, step: int) -> CheckpointFacts | None:
    """What a checkpoint contains, or None if a trainer has removed it since it was listed."""
    size = store.size(step)
    try:
        checkpoint = store.read(step)
    except TextgenError as error:
        if isinstance(error, MissingError) and step not in store.steps():
            return None
        return CheckpointFacts(step, size, problem=one_line(error))
    facts = checkpoint.facts
    progress = _mapping(facts.get("progress"))
    vocabulary = facts.get("vocabulary_sha256")
    versions = {name: str(version) for name, version in _mapping(facts.get("versions")).items()}
    return CheckpointFacts(
        step,
        size,
        tensors=len(checkpoint.tensors),
        epochs=_whole(progress.get("epoch")),
        best_step=_whole(progress.get("best_step")),
        vocabulary_sha256=vocabulary if isinstance(vocabulary, str) else None,
        versions=versions,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object; otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
