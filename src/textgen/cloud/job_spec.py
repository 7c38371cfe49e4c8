"""Describes a training job as Vertex AI's CustomJob. Sends no request."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from textgen.cloud.machines import find_machine
from textgen.config.vertex import VertexConfig

_FLEX_START_WAIT = "86400s"
_LONGEST_NAME = 128
"""The longest name that Vertex AI accepts."""


def make_job(
    config: VertexConfig, name: str, arguments: Sequence[str], output: str, workers: int = 1
) -> dict[str, Any]:
    """Returns a CustomJob with the field names of JSON (Vertex AI's documentation, "REST Resource: projects.locations.customJobs").

    It has no `diskSpec`: the type of disk that fits depends on the machine, and Vertex AI's default always fits.

    Args:
        config: the place and the machine.
        name: the job's name in lists, where a long one is cut.
        arguments: those of `textgen-train` in the container. Unless they name a device, a machine with a GPU gets
            `--device=gpu`, which refuses to train without it.
        output: the job directory's URI, from which Vertex AI makes `AIP_CHECKPOINT_DIR` and others.
        workers: the number of machines. The first pool contains only the chief, as Vertex AI requires, and the second the others
            (its documentation, "Distributed training").

    Returns:
        The body of the request to Vertex AI. Its `jobSpec` is also the content of a file for gcloud.
    """
    machine = find_machine(config)
    on_machine: dict[str, Any] = {"machineType": machine.type}
    if machine.accelerator is not None:
        on_machine |= {"acceleratorType": machine.accelerator, "acceleratorCount": machine.count}
        if not any(argument.startswith("--device=") for argument in arguments):
            arguments = [*arguments, "--device=gpu"]
    counts = [1] if workers == 1 else [1, workers - 1]
    spec: dict[str, Any] = {
        "workerPoolSpecs": [
            {
                "machineSpec": on_machine,
                "replicaCount": count,
                "containerSpec": {"imageUri": config.image, "args": list(arguments)},
            }
            for count in counts
        ],
        "scheduling": _scheduling(config),
        "baseOutputDirectory": {"outputUriPrefix": output},
    }
    named = {
        "serviceAccount": config.service_account,
        "network": config.network,
        "tensorboard": config.tensorboard,
    }
    spec |= {key: value for key, value in named.items() if value is not None}
    job: dict[str, Any] = {"displayName": name[:_LONGEST_NAME], "jobSpec": spec}
    if config.labels:
        job["labels"] = dict(label.split("=", 1) for label in config.labels)
    return job


def gcloud_command(config: VertexConfig, job: dict[str, Any], file: str) -> str:
    """Returns the command that creates the same job from a file with its `jobSpec`."""
    words = [
        *("gcloud", "ai", "custom-jobs", "create", f"--project={config.project}", f"--region={config.region}"),
        *(f"--display-name={job['displayName']}", f"--config={file}"),
    ]
    if "labels" in job:
        words.append("--labels=" + ",".join(f"{key}={value}" for key, value in job["labels"].items()))
    return shlex.join(words)


def _scheduling(config: VertexConfig) -> dict[str, Any]:
    scheduling: dict[str, Any] = {
        "timeout": f"{config.max_hours * 3600:.0f}s",
        "restartJobOnWorkerRestart": True,
    }
    if config.spot:
        scheduling["strategy"] = "SPOT"
    if config.flex_start:
        scheduling |= {"strategy": "FLEX_START", "maxWaitDuration": _FLEX_START_WAIT}
    return scheduling
