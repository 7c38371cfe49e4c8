"""Reads what Vertex AI passes to a training job, or to a container that answers predictions, in its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from textgen.errors import UsageError
from textgen.formatting import shown

_CHECKPOINTS = "/checkpoints"
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class CloudEnvironment:
    """The variables of a custom job (Vertex AI's documentation, "Requirements for custom training code").

    Attributes:
        job_id: of the job; None where it is not named.
        replica: which of the job's machines this is.
        machine: this machine's address, the same after a restart and different for every job; None where it is not named.
        job_dir: where the job directory is in a bucket: the parent of `AIP_CHECKPOINT_DIR` where that ends in
            `checkpoints`, as Vertex AI makes it, else `AIP_CHECKPOINT_DIR` itself.
        summary_dir: for TensorBoard's files.
        model_dir: for a copy of the model file.
        cluster_spec: the machines of the job, as JSON.
    """

    job_id: str | None = None
    replica: str = "0"
    machine: str | None = None
    job_dir: str | None = None
    summary_dir: str | None = None
    model_dir: str | None = None
    cluster_spec: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The settings for a training run that names no others, by the names of `TrainingConfig`."""
        named = {"job_dir": self.job_dir, "summary_dir": self.summary_dir}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def worker(self) -> str | None:
        """Names this machine of the job, the same after a restart; None outside of Vertex AI."""
        if self.job_id is not None:
            return f"Vertex AI job {self.job_id}, replica {self.replica}"
        return None if self.machine is None else f"Vertex AI machine {self.machine}"

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables; one that is empty counts as not set."""

        def place(name: str) -> str | None:
            return environment.get(name, "").rstrip("/") or None

        checkpoints = place("AIP_CHECKPOINT_DIR")
        cluster_spec = environment.get("CLUSTER_SPEC") or None
        return cls(
            job_id=environment.get("CLOUD_ML_JOB_ID") or None,
            replica=_replica(environment.get("TF_CONFIG") or cluster_spec or ""),
            machine=_machine(cluster_spec or ""),
            job_dir=checkpoints and checkpoints.removesuffix(_CHECKPOINTS),
            summary_dir=place("AIP_TENSORBOARD_LOG_DIR"),
            model_dir=place("AIP_MODEL_DIR"),
            cluster_spec=cluster_spec,
        )


@dataclass(frozen=True)
class EndpointEnvironment:
    """The variables of a container that answers predictions (Vertex AI's documentation, "Custom container requirements").

    Attributes:
        port: the port to listen on; None outside of Vertex AI.
        health_route: the path of the health checks.
        predict_route: the path of the predictions.
        storage_uri: the directory of the model in a bucket; None if the model was uploaded without files.
    """

    port: int | None = None
    health_route: str = "/healthz"
    predict_route: str = "/predict"
    storage_uri: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a server that is given no others, by the names of `ServeCommand`."""
        address = {} if self.port is None else {"host": "0.0.0.0", "port": self.port}  # noqa: S104 - Vertex AI requires it
        return address if self.storage_uri is None else {**address, "models": (self.storage_uri,)}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables; one that is empty counts as not set.

        Raises:
            UsageError: if one has no valid value.
        """

        def route(name: str, default: str) -> str:
            path = environment.get(name) or default
            if not path.startswith("/") or not path.isprintable() or set(path) & set("{}?#"):
                raise UsageError(
                    f"the environment variable {name} must be a path that begins with /, got {shown(path)}"
                )
            return path

        port = environment.get("AIP_HTTP_PORT") or None
        if port is not None and not (port.isascii() and port.isdecimal() and int(port) <= _LARGEST_PORT):
            raise UsageError(f"the environment variable AIP_HTTP_PORT must be the number of a port, got {shown(port)}")
        return cls(
            port=None if port is None else int(port),
            health_route=route("AIP_HEALTH_ROUTE", cls.health_route),
            predict_route=route("AIP_PREDICT_ROUTE", cls.predict_route),
            storage_uri=environment.get("AIP_STORAGE_URI") or None,
        )


def _replica(cluster: str) -> str:
    """The task in a cluster's description; `"0"` where there is none."""
    try:
        task = json.loads(cluster)["task"]
        return f"{task['type']}-{int(task['index'])}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "0"


def _machine(cluster: str) -> str | None:
    """The address of this machine in a cluster's description; None where there is none."""
    try:
        found = json.loads(cluster)
        return str(found["cluster"][found["task"]["type"]][int(found["task"]["index"])])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
