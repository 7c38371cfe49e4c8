"""Reads the environment variables that Vertex AI sets for a training job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_CHECKPOINTS = "/checkpoints"


@dataclass(frozen=True)
class CloudEnvironment:
    """The variables of a custom job (Vertex AI's documentation, "Requirements for custom training code").

    Attributes:
        job_id: the job's id; None if Vertex AI has not set it.
        machines: the names of the job's machines, which contain a hash of the job; empty outside of Vertex AI.
        replica: this machine's place among them.
        job_dir: the URI of the job directory: the parent of `AIP_CHECKPOINT_DIR` if that ends in `checkpoints`, as it
            does on Vertex AI, else `AIP_CHECKPOINT_DIR` itself.
        summary_dir: the URI for TensorBoard's files.
        model_dir: the URI for a copy of the model file.
        cluster_spec: the machines of the job, as JSON.
    """

    job_id: str | None = None
    machines: tuple[str, ...] = ()
    replica: str = "0"
    job_dir: str | None = None
    summary_dir: str | None = None
    model_dir: str | None = None
    cluster_spec: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The defaults of a training run here, by the names of `TrainingConfig`."""
        named = {"job_dir": self.job_dir, "summary_dir": self.summary_dir}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def worker(self) -> str | None:
        """A name of this machine that a restart of the job has again; None outside of Vertex AI."""
        if self.job_id is not None:
            return f"Vertex AI job {self.job_id}, replica {self.replica}"
        return f"Vertex AI job on {', '.join(self.machines)}, replica {self.replica}" if self.machines else None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables; an empty one counts as not set."""

        def place(name: str) -> str | None:
            return environment.get(name, "").rstrip("/") or None

        checkpoints = place("AIP_CHECKPOINT_DIR")
        cluster_spec = environment.get("CLUSTER_SPEC") or None
        return cls(
            job_id=environment.get("CLOUD_ML_JOB_ID") or None,
            machines=_machines(cluster_spec or ""),
            replica=_replica(environment.get("TF_CONFIG") or cluster_spec or ""),
            job_dir=checkpoints and checkpoints.removesuffix(_CHECKPOINTS),
            summary_dir=place("AIP_TENSORBOARD_LOG_DIR"),
            model_dir=place("AIP_MODEL_DIR"),
            cluster_spec=cluster_spec,
        )


def _machines(cluster: str) -> tuple[str, ...]:
    """The machines that a cluster's description names; none if it is invalid."""
    try:
        pools = json.loads(cluster)["cluster"]
        return tuple(sorted(str(machine) for pool in pools.values() for machine in pool))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _replica(cluster: str) -> str:
    """The task that a cluster's description names; `"0"` if it names none."""
    try:
        task = json.loads(cluster)["task"]
        return f"{task['type']}-{int(task['index'])}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "0"
