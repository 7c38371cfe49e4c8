"""Runs a training in a process that is not the chief: it decides nothing, reads no text, and writes no file."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from typing import Any

from textgen.config import Cluster, TrainingConfig
from textgen.config.flags import build
from textgen.config.yaml_text import from_yaml
from textgen.console import Console
from textgen.runs.request import Request
from textgen.runs.tensorflow_loading import check_tensorflow, loading_tensorflow
from textgen.signals import Signals
from textgen.storage import cache_directory
from textgen.version import __version__
from textgen.workers import Chief, Ended


def follow_chief(request: Request, cluster: Cluster, *, signals: Signals, console: Console) -> None:
    """Trains what the chief decides, until it ends.

    Args:
        request: the request for the run, which must be that of the chief.
        cluster: the processes that train, seen from this one.
        signals: handles SIGINT and SIGTERM; already entered. The chief is told about them.
        console: shows what this process does.

    Raises:
        TextgenError: if the request or a version differs, if the chief has failed or is gone, or if this process fails.
    """
    check_tensorflow("training")
    console.say(f"Worker {cluster.index} of {cluster.count} waits for its chief, {cluster.addresses[0]}")
    with contextlib.suppress(Ended), Chief(cluster, common_facts(request), signals) as chief:
        signals.hold()
        message = chief.next()
        config = build(TrainingConfig, from_yaml(message.facts["config"], "the settings of the chief"))
        with loading_tensorflow(console, deterministic=config.deterministic), signals.importing():
            from textgen.training import follow
        signals.hold()
        follow(
            config,
            chief,
            cluster,
            ids_directory=cache_directory("ids", expires=True),
            signals=signals,
            console=console,
            device=message.facts["device"],
        )


def common_facts(request: Request) -> dict[str, Any]:
    """Returns what all processes of a run must have in common: the versions of the programs, and the given settings."""
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {
        "textgen": __version__,
        "python": platform.python_version(),
        **versions,
        **request.config.to_mapping(),
        "device": request.command.device,
    }
