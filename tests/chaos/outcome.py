"""Reads the files of a finished job, and lists how two jobs differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from textgen.jobs import JobDirectory

EXACT_METRICS = ("steps", "epochs", "train_loss", "valid_loss", "learning_rate")
"""The values in a line of metrics.jsonl that do not depend on time."""

Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


@dataclass(frozen=True)
class Outcome:
    """The results that must be the same, whether a job was interrupted or not.

    Attributes:
        model: the type, shape and bytes of each tensor of the model file.
        checkpoint: the same for the newest checkpoint.
        checkpoint_step: its step.
        metrics: the `EXACT_METRICS` of each line of metrics.jsonl.
        samples: the content of samples.txt.
        training_curve: the step and value of each training loss, as TensorBoard shows it.
        validation_curve: the same for the validation loss.
    """

    model: Tensors
    checkpoint: Tensors
    checkpoint_step: int | None
    metrics: list[list[Any]]
    samples: str
    training_curve: list[tuple[int, float]]
    validation_curve: list[tuple[int, float]]

    @classmethod
    def of(cls, job: JobDirectory) -> Outcome:
        """Reads a finished job."""
        step = newest_step(job)
        lines = [json.loads(line) for line in job.metrics.read_text(encoding="utf-8").splitlines()]
        return cls(
            _tensors(job.model),
            {} if step is None else _tensors(job.checkpoints / f"step-{step:08}.safetensors"),
            step,
            [[line[name] for name in EXACT_METRICS] for line in lines],
            job.samples.read_text(encoding="utf-8"),
            _curve(job.logs / "train"),
            _curve(job.logs / "validation"),
        )

    def differences(self, reference: Outcome) -> list[str]:
        """The names of the attributes that differ from the reference."""
        return [field.name for field in fields(self) if getattr(self, field.name) != getattr(reference, field.name)]


def newest_step(job: JobDirectory) -> int | None:
    """The step of the newest checkpoint that has a manifest, or None."""
    steps = [int(path.stem.removeprefix("step-")) for path in job.checkpoints.glob("step-*.json")]
    return max(steps, default=None)


def half_made(job: JobDirectory) -> set[str]:
    """The files that only a killed process may leave: temporary ones, and tensors without a manifest."""
    found = {str(path.relative_to(job.root)) for path in job.root.rglob("*.tmp")}
    tensors = {path for path in job.checkpoints.glob("step-*.safetensors") if not path.with_suffix(".json").exists()}
    if job.model.exists() and newest_step(job) is None:
        tensors.add(job.model)
    return found | {str(path.relative_to(job.root)) for path in tensors}


def _tensors(path: Path) -> Tensors:
    return {name: (str(tensor.dtype), tensor.shape, tensor.tobytes()) for name, tensor in load_file(path).items()}


def _curve(directory: Path) -> list[tuple[int, float]]:
    """All points of "loss", read with TensorBoard's own reader.

    `event_accumulator`, which TensorBoard no longer uses, does not remove the points that a START event removes.
    """
    events = EventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()
    if "loss" not in events.Tags()["tensors"]:
        return []
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors("loss")]
