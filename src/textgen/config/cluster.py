"""Reads from the environment which processes train one model together, on one machine or on several."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

from textgen.errors import UsageError
from textgen.formatting import shown

_VARIABLE = "TF_CONFIG"
_OF_VERTEX_AI = "CLUSTER_SPEC"
_CHIEF, _WORKER = "chief", "worker"
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class Cluster:
    """The processes that train one model together, and which of them this is. The first is the chief.

    Attributes:
        addresses: `HOST:PORT` of TensorFlow's server in each process.
        index: the number of this process.
        link_port: where the chief also listens, for the link to the others; None for the port after that of its server.
    """

    addresses: tuple[str, ...]
    index: int
    link_port: int | None = None

    @property
    def count(self) -> int:
        """The number of processes."""
        return len(self.addresses)

    @property
    def processes_here(self) -> int:
        """The number of processes on this machine: those at the same host as this one."""
        hosts = [address.rpartition(":")[0] for address in self.addresses]
        return hosts.count(hosts[self.index])

    @property
    def is_chief(self) -> bool:
        """Whether this process decides for all."""
        return self.index == 0

    @property
    def link(self) -> tuple[str, int]:
        """The host and the port at which the chief waits for the others."""
        host, _, port = self.addresses[0].rpartition(":")
        return host.strip("[]"), self.link_port or int(port) + 1

    def of(self, index: int) -> Self:
        """The same cluster, seen from another process."""
        return replace(self, index=index)

    def to_json(self) -> str:
        """The value of `TF_CONFIG` for this process. All are workers in it; TensorFlow takes the first for the chief."""
        task = {"type": _WORKER, "index": self.index}
        return json.dumps({"cluster": {_WORKER: list(self.addresses)}, "task": task})

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self | None:
        """Reads `TF_CONFIG`, as Vertex AI sets it for worker pools: one `chief` and any number of tasks `worker`.

        If Vertex AI's `CLUSTER_SPEC` names ports that are open between its machines, the link uses the first of them.

        Returns:
            The cluster; None if the variable is not set, or names at most one process.

        Raises:
            UsageError: if it is not valid.
        """
        text = environment.get(_VARIABLE)
        if not text:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise _refusal("be JSON", text) from None
        if not isinstance(found, dict):
            raise _refusal("be a JSON object", found)
        jobs = _read_jobs(found.get("cluster") or {})
        addresses = tuple(address for kind in (_CHIEF, _WORKER) for address in jobs.get(kind, ()))
        if len(addresses) <= 1:
            return None
        kind, number = _read_task(found.get("task"), jobs)
        cluster = cls(addresses, number + (len(jobs.get(_CHIEF, ())) if kind == _WORKER else 0))
        host, _, port = addresses[0].rpartition(":")
        if (open_port := _find_open_port(environment.get(_OF_VERTEX_AI), int(port))) is not None:
            return replace(cluster, link_port=open_port)
        if (link := f"{host}:{int(port) + 1}") in addresses:
            raise _refusal("leave the port after the chief's to the chief", link)
        return cluster


def _find_open_port(text: str | None, used: int) -> int | None:
    """Returns a port besides TensorFlow's that is open between the machines of a job of Vertex AI; None if none is named."""
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        for port in json.loads(text or "")["open_ports"]:
            if type(port) is int and 0 < port <= _LARGEST_PORT and port != used:
                return port
    return None


def _read_jobs(value: Any) -> dict[str, list[str]]:
    """Returns the addresses of the chief and of the workers."""
    if not isinstance(value, dict):
        raise _refusal("have an object as its cluster", value)
    jobs = {kind: addresses for kind, addresses in value.items() if addresses}
    for kind, addresses in jobs.items():
        if kind not in {_CHIEF, _WORKER}:
            raise _refusal(f"have only tasks of the types {_CHIEF} and {_WORKER}", kind)
        if not isinstance(addresses, list):
            raise _refusal("list addresses in its cluster", addresses)
        for address in addresses:
            if not _is_address(address):
                raise _refusal(f"have addresses HOST:PORT with a port below {_LARGEST_PORT}", address)
    if len(jobs.get(_CHIEF, ())) > 1:
        raise _refusal(f"have one {_CHIEF}", len(jobs[_CHIEF]))
    together = sorted(address for addresses in jobs.values() for address in addresses)
    for address, following in pairwise(together):
        if address == following:
            raise _refusal("name each address once", address)
    return jobs


def _read_task(value: Any, jobs: Mapping[str, list[str]]) -> tuple[str, int]:
    """Returns the type and the number of this process among those of its type."""
    kind, index = (value.get("type"), value.get("index")) if isinstance(value, dict) else (None, None)
    if isinstance(index, str) and index.isascii() and index.isdecimal():
        index = int(index[:10])  # Python refuses to convert thousands of digits
    if not isinstance(kind, str) or not isinstance(index, int) or isinstance(index, bool):
        raise _refusal("have a task with a type and an index", value)
    if not 0 <= index < len(jobs.get(kind, ())):
        raise _refusal("have a task that is in its cluster", f"{kind} {index}")
    return kind, index


def _is_address(value: Any) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return (
        host != ""
        and host.isprintable()
        and not {" ", "/"} & set(host)
        and port.isascii()
        and port.isdecimal()
        and 0 < int(port[:6]) < _LARGEST_PORT
    )


def _refusal(rule: str, value: Any) -> UsageError:
    return UsageError(
        f"the environment variable {_VARIABLE} must {rule}, got {shown(value)}; correct it, or unset it to train in one process"
    )
