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
        job_id: of the job; None outside of Vertex AI.
        replica: which of the job's machines this is.
        job_dir: the URI of the job directory: the parent of `AIP_CHECKPOINT_DIR` if that ends in `checkpoints`, as Vertex
            AI sets it, else `AIP_CHECKPOINT_DIR` itself.
        summary_dir: where TensorBoard's files go.
        model_dir: where a copy of the model file goes.
        cluster_spec: the machines of the job, as JSON.
    """

    job_id: str | None = None
    replica: str = "0"
    job_dir: str | None = None
    summary_dir: str | None = None
    model_dir: str | None = None
    cluster_spec: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Values for settings of `TrainingConfig`, by name. Presets and flags override them."""
        named = {"job_dir": self.job_dir, "summary_dir": self.summary_dir}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def worker(self) -> str | None:
        """Names this machine of the job, the same again after a restart; None outside of Vertex AI."""
        return None if self.job_id is None else f"Vertex AI job {self.job_id}, replica {self.replica}"

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables. An empty one counts as not set."""

        def place(name: str) -> str | None:
            return environment.get(name, "").rstrip("/") or None

        checkpoints = place("AIP_CHECKPOINT_DIR")
        cluster_spec = environment.get("CLUSTER_SPEC") or None
        return cls(
            job_id=environment.get("CLOUD_ML_JOB_ID") or None,
            replica=_replica(environment.get("TF_CONFIG") or cluster_spec or ""),
            job_dir=checkpoints and checkpoints.removesuffix(_CHECKPOINTS),
            summary_dir=place("AIP_TENSORBOARD_LOG_DIR"),
            model_dir=place("AIP_MODEL_DIR"),
            cluster_spec=cluster_spec,
        )


def _replica(cluster: str) -> str:
    """The task in a cluster's description, such as `worker-1`; `"0"` without one."""
    try:
        task = json.loads(cluster)["task"]
        return f"{task['type']}-{int(task['index'])}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "0"
