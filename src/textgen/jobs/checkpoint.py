"""Checkpoints on disk: tensors and a manifest, whole or not at all, verified when read; knows nothing of what they mean.

A checkpoint is two files, `step-00001200.safetensors` with the tensors and `step-00001200.json`, the manifest, with
everything else and the sha256 of the first. The manifest is written last, so what has a manifest is complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.errors import FormatError, TextgenError, from_os_error
from textgen.storage import read_text, remove, write_atomic

if TYPE_CHECKING:
    import numpy as np

FORMAT_VERSION = 1
NEWEST_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A training state at one step.

    Attributes:
        step: updates made.
        tensors: by name.
        facts: everything that is no tensor, as JSON values.
    """

    step: int
    tensors: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of a job.

    Attributes:
        directory: where they lie.
    """

    directory: Path

    def write(self, checkpoint: Checkpoint, best_step: int | None = None) -> None:
        """Writes a checkpoint, then removes all but the newest two and the best.

        Args:
            checkpoint: what to keep.
            best_step: the step of the best checkpoint so far.

        Raises:
            TextgenError: when the operating system refuses; the older checkpoints stay.
        """
        from safetensors.numpy import save

        data = save(dict(checkpoint.tensors))
        manifest = {
            "format_version": FORMAT_VERSION,
            "step": checkpoint.step,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "facts": dict(checkpoint.facts),
        }
        tensors, described = self._paths(checkpoint.step)
        remove(described)
        write_atomic(tensors, data)
        write_atomic(described, json.dumps(manifest, indent=1) + "\n")
        kept = {*self.steps()[:NEWEST_KEPT], best_step}
        for step in self.steps():
            if step not in kept:
                for path in reversed(self._paths(step)):
                    remove(path)

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, newest first."""
        names = (path.stem.removeprefix("step-") for path in self.directory.glob("step-*.json"))
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def newest(self, passed_over: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that verifies.

        Args:
            passed_over: called with one line for each newer one that does not.

        Returns:
            The checkpoint; None when there is none at all.

        Raises:
            FormatError: when there are checkpoints and none verifies.
        """
        steps = self.steps()
        for step in steps:
            try:
                return self.read(step)
            except TextgenError as error:
                passed_over(str(error))
        if steps:
            raise FormatError(f"no checkpoint in {self.directory} can be used; begin anew with --fresh")
        return None

    def read(self, step: int) -> Checkpoint:
        """Reads and verifies the checkpoint of a step.

        Raises:
            TextgenError: when it is missing, unreadable or not what was written.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        tensors, described = self._paths(step)
        try:
            manifest = json.loads(read_text(described))
            version, digest, facts = manifest["format_version"], manifest["sha256"], manifest["facts"]
        except (ValueError, TypeError, KeyError) as error:
            raise FormatError(f"the checkpoint {described} is damaged: its manifest makes no sense") from error
        if version != FORMAT_VERSION:
            raise FormatError(
                f"the checkpoint {described} has format {version}, this textgen reads {FORMAT_VERSION}; upgrade textgen"
            )
        try:
            data = tensors.read_bytes()
        except OSError as error:
            raise from_os_error(error, f"cannot read the checkpoint {tensors}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise FormatError(f"the checkpoint {tensors} is damaged: its sha256 is not the manifest's")
        try:
            return Checkpoint(step, load(data), facts)
        except SafetensorError as error:
            raise FormatError(f"the checkpoint {tensors} is damaged: {error}") from error

    def _paths(self, step: int) -> tuple[Path, Path]:
        """The files of a step: tensors, manifest."""
        return self.directory / f"step-{step:08}.safetensors", self.directory / f"step-{step:08}.json"
