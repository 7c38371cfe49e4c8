"""Reads and writes checkpoints: tensors and a manifest, written atomically and verified when read.

A checkpoint is two files: `step-00001200.safetensors` with the tensors, and `step-00001200.json`, the manifest, with
everything else and the sha256 of both. The manifest is written last, so a checkpoint that has one is complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.errors import FormatError, MissingError, TextgenError, from_os_error, named
from textgen.formatting import one_line
from textgen.storage import find, parse_object, read_text, remove, remove_abandoned, write_atomic

if TYPE_CHECKING:
    import numpy as np

FORMAT_VERSION = 1
NEWEST_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A training state at one step.

    Attributes:
        step: the updates made.
        tensors: the tensors by name.
        facts: everything else, as JSON values.
    """

    step: int
    tensors: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


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


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of a job.

    Attributes:
        directory: the directory that contains them.
    """

    directory: Path
    _skipped: set[int] = field(default_factory=set, init=False, repr=False, compare=False)

    def write(self, checkpoint: Checkpoint, best_step: int | None = None) -> None:
        """Writes a checkpoint, then removes all but the newest two and the best.

        Damaged checkpoints that `newest` skipped do not count, and are removed too. The temporary files of killed processes
        are removed first; a job has one trainer at a time.

        Args:
            checkpoint: the checkpoint.
            best_step: the step of the best checkpoint so far.

        Raises:
            TextgenError: if the operating system refuses; the older checkpoints stay.
        """
        import numpy as np
        from safetensors.numpy import save

        remove_abandoned(self.directory, "step-*")
        # safetensors writes the memory as it is, and ignores the strides.
        data = save({name: np.asarray(tensor, order="C") for name, tensor in checkpoint.tensors.items()})
        tensors, described = self._paths(checkpoint.step)
        remove(described)
        write_atomic(tensors, data)
        write_atomic(described, _describe(checkpoint.step, data, dict(checkpoint.facts)))
        self._skipped.discard(checkpoint.step)
        self._remove_others(checkpoint.step, best_step)

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, newest first.

        Raises:
            FormatError: if something other than a directory is in the way.
            TextgenError: if the operating system refuses; there may be checkpoints even if they cannot be listed.
        """
        try:
            steps = [_step_of(path) for path in self.directory.iterdir() if path.match("step-*.json")]
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise FormatError(
                f"{self.directory} must be a directory of checkpoints and is not one; move it away"
            ) from error
        except OSError as error:
            raise from_os_error(error, f"cannot look for checkpoints in {self.directory}") from error
        return sorted((step for step in steps if step is not None), reverse=True)

    def size(self, step: int) -> int:
        """Returns the size in bytes of those files of a checkpoint that exist.

        Raises:
            TextgenError: if the operating system refuses.
        """
        try:
            return sum(path.stat().st_size for path in self._paths(step) if path.exists())
        except OSError as error:
            raise from_os_error(error, f"cannot look at the checkpoint of step {step} in {self.directory}") from error

    def newest(self, skipped: Callable[[str], None]) -> Checkpoint | None:
        """Reads the newest checkpoint that verifies; skips newer ones that are damaged or lack a file.

        Args:
            skipped: called with one line for each of these.

        Returns:
            The checkpoint, or None if there are no checkpoints.

        Raises:
            FormatError: if there are checkpoints and none verifies, or a later textgen wrote one.
            TextgenError: if the operating system refuses to read one.
        """
        self._skipped.clear()
        steps = self.steps()
        for step in steps:
            _refuse_later(self._paths(step)[1])
            try:
                return self.read(step)
            except (FormatError, MissingError) as error:
                self._skipped.add(step)
                skipped(str(error))
        if steps:
            raise FormatError(f"no checkpoint in {self.directory} can be used; use {named('fresh')} to start over")
        return None

    def read(self, step: int) -> Checkpoint:
        """Reads and verifies the checkpoint of a step.

        Raises:
            TextgenError: if it is missing, cannot be read, or is not what was written.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        tensors, described = self._paths(step)
        _refuse_later(described)
        text = read_text(described)
        facts = (parse_object(text) or {}).get("facts")
        if not isinstance(facts, dict):
            raise FormatError(f"the checkpoint {described} is damaged: its manifest makes no sense")
        try:
            data = tensors.read_bytes()
        except OSError as error:
            raise from_os_error(error, f"cannot read the checkpoint {tensors}") from error
        try:
            if text != _describe(step, data, facts):
                raise FormatError(f"the checkpoint {tensors} is damaged: it or its manifest is not what was written")
            return Checkpoint(step, load(data), facts)
        except (SafetensorError, RecursionError) as error:  # Python reads deeper nesting than it writes
            raise FormatError(f"the checkpoint {tensors} is damaged: {error}") from error

    def remove_abandoned(self) -> None:
        """Removes what a killed trainer left: temporary files, and old tensors whose manifest it had removed.

        Raises:
            TextgenError: if the operating system refuses.
        """
        remove_abandoned(self.directory, "step-*")
        steps = self.steps()
        for path in find(self.directory, "step-*.safetensors"):
            step = _step_of(path)
            if step is not None and steps and step < steps[0] and step not in steps:
                remove(path)

    def _remove_others(self, newest: int, best: int | None) -> None:
        """Removes the files of older steps and of skipped ones, except the previous checkpoint and the best."""
        usable = [step for step in self.steps() if step <= newest and step not in self._skipped]
        kept = {*usable[:NEWEST_KEPT], best}
        for path in find(self.directory, "step-*"):  # sorted, so a manifest before its tensors
            step = _step_of(path)
            if step is not None and (step <= newest or step in self._skipped) and step not in kept:
                remove(path)

    def _paths(self, step: int) -> tuple[Path, Path]:
        """The files of a step: the tensors and the manifest."""
        return self.directory / f"step-{step:08}.safetensors", self.directory / f"step-{step:08}.json"


def inspect_checkpoints(store: CheckpointStore) -> list[CheckpointFacts]:
    """Reads and verifies every checkpoint, the newest first.

    Args:
        store: the checkpoints; a trainer may be writing there.
    """
    return [facts for step in store.steps() if (facts := _inspect(store, step)) is not None]


def _step_of(path: Path) -> int | None:
    """The step that a file belongs to, or None if its name contains no number."""
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else None


def _refuse_later(manifest: Path) -> None:
    """Raises a FormatError if a later textgen wrote a manifest; does not check it otherwise."""
    try:
        version = (parse_object(manifest.read_bytes()) or {}).get("format_version")
    except OSError:
        return
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise FormatError(
            f"the checkpoint {manifest} has format {version}, this textgen reads {FORMAT_VERSION}; upgrade textgen"
        )


def _describe(step: int, data: bytes, facts: Any) -> str:
    """Returns the text of a manifest; the same step, tensors and facts give the same text."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "step": step,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "facts_sha256": hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        "facts": facts,
    }
    return json.dumps(manifest, indent=1) + "\n"


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
