"""Reads what a finished job left, and says where two of them differ; knows nothing of how they came about."""

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
"""What a line of metrics.jsonl says of the numbers; the others tell the time."""

Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


@dataclass(frozen=True)
class Outcome:
    """What is promised to be the same, interrupted or not.

    Attributes:
        model: type, shape and bytes of each tensor of the model file.
        checkpoint: those of the newest checkpoint.
        checkpoint_step: its step.
        metrics: the exact part of each line of metrics.jsonl.
        samples: samples.txt.
        training_curve: step and value of each loss of the training text, as TensorBoard shows it.
        validation_curve: of the validation text.
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
        """What is not as in the reference, by name."""
        return [field.name for field in fields(self) if getattr(self, field.name) != getattr(reference, field.name)]


def newest_step(job: JobDirectory) -> int | None:
    """The step of the newest checkpoint that has a manifest; None when there is none."""
    steps = [int(path.stem.removeprefix("step-")) for path in job.checkpoints.glob("step-*.json")]
    return max(steps, default=None)


def half_made(job: JobDirectory) -> set[str]:
    """The files of a job that only a killed process may leave: temporary ones, and those that lack their partner."""
    found = {str(path.relative_to(job.root)) for path in job.root.rglob("*.tmp")}
    tensors = {path for path in job.checkpoints.glob("step-*.safetensors") if not path.with_suffix(".json").exists()}
    if job.model.exists() and newest_step(job) is None:
        tensors.add(job.model)
    return found | {str(path.relative_to(job.root)) for path in tensors}


def _tensors(path: Path) -> Tensors:
    return {name: (str(tensor.dtype), tensor.shape, tensor.tobytes()) for name, tensor in load_file(path).items()}


def _curve(directory: Path) -> list[tuple[int, float]]:
    """The points of "loss", read with TensorBoard's own reader; none is left out.

    Not with `event_accumulator`, which TensorBoard no longer uses: it does not take back what a START event takes back.
    """
    events = EventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()
    if "loss" not in events.Tags()["tensors"]:
        return []
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors("loss")]
