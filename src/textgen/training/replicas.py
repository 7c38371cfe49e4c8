"""Trains on several devices at once: a replica of the model on each, with its own rows of the joint batch.

`model.replication` contains what the replicas compute together in a step. This module makes them and feeds them. It also reads and writes the
states of all streams in their order, so that a checkpoint does not depend on the number of replicas.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from textgen.config import Cluster
from textgen.errors import UnavailableError
from textgen.model import LanguageModel
from textgen.signals import Signals

_MOST_KEYS = 1000
"""More than the groups of devices that one strategy makes."""
_SECONDS_TO_CONNECT = 60
"""How long TensorFlow may take to connect the processes, all of which are ready."""
_SECONDS_WITHOUT_HEARTBEAT = 60
"""After how long TensorFlow takes a process for dead. By default it is ten seconds, too little for a busy machine on which the chief encodes a text."""


@dataclass(frozen=True)
class Replicas:
    """The replicas that share the joint batch: replica r of N trains on the r-th of N equal parts of the streams.

    Attributes:
        count: the number of replicas.
        strategy: TensorFlow's distribution strategy; None for one replica, which needs none.
        local: the numbers of the replicas in this process.
    """

    count: int = 1
    strategy: tf.distribute.Strategy | None = None
    local: range = range(1)

    @classmethod
    def on_devices(cls, count: int) -> Replicas:
        """Makes a replica on each of the first devices of this machine, GPUs if there are any; initialises TensorFlow.

        Args:
            count: the number of replicas.
        """
        return cls() if count == 1 else cls(count, _mirrored(count), range(count))

    @classmethod
    def in_cluster(cls, cluster: Cluster, signals: Signals) -> Replicas:
        """Makes a replica on each device of each process of a cluster. Initialises TensorFlow.

        All processes must call this at the same time, because no signal and no thread of Python can interrupt it. It fails if one does not.

        Args:
            cluster: the processes.
            signals: handles SIGINT and SIGTERM, also after TensorFlow has replaced the handler of SIGTERM.

        Raises:
            tf.errors.OpError: if the other processes do not come, or cannot be reached.
        """
        os.environ["TF_CONFIG"] = cluster.to_json()
        _limit_wait(cluster.count)
        with signals.delayed():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        size = len(strategy.extended.worker_devices)
        first = cluster.index * size
        return cls(strategy.num_replicas_in_sync, strategy, range(first, first + size))

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Gives each variable that is created meanwhile one copy per replica."""
        if self.strategy is None:
            yield
            return
        with self.strategy.scope(), tf.variable_creator_scope(_create_own_copies):
            yield

    def rows(self, batch_size: int) -> list[slice]:
        """Returns the streams of each replica in this process.

        Args:
            batch_size: the number of streams, a multiple of `count`.
        """
        size = batch_size // self.count
        return [slice(number * size, (number + 1) * size) for number in self.local]

    def distribute(self, make: Callable[[], tf.data.Dataset]) -> Any:
        """Returns a dataset that gives each step's elements to the replicas.

        Args:
            make: makes a dataset with an element for each replica in this process in turn.
        """
        if self.strategy is None:
            return make()
        return self.strategy.distribute_datasets_from_function(lambda _: make())


def check_port(cluster: Cluster) -> None:
    """Checks that TensorFlow's server in this process can use its port.

    Args:
        cluster: the processes, seen from this one.

    Raises:
        UnavailableError: if it cannot.
    """
    address = cluster.addresses[cluster.index]
    dual = socket.has_dualstack_ipv6()  # TensorFlow listens on every interface
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        socket.create_server(("", int(address.rpartition(":")[2])), family=family, dualstack_ipv6=dual).close()
    except OSError as error:
        raise UnavailableError(
            f"TensorFlow cannot listen at {address}: {os.strerror(error.errno or 0)}; end the program that uses this port, or give this process another one in TF_CONFIG"
        ) from error


def _limit_wait(processes: int) -> None:
    """Limits how long `MultiWorkerMirroredStrategy` waits for the other processes to come, an hour otherwise, and for their heartbeats."""
    current = context.context()
    current.configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * _SECONDS_TO_CONNECT,
        heartbeat_timeout_in_ms=1000 * _SECONDS_WITHOUT_HEARTBEAT,
    )
    current.coordination_service.coordinated_job_list.add(name="worker", num_tasks=processes)
    current.coordination_service.cluster_register_with_barrier = True


class _MirroredStrategy(tf.distribute.MirroredStrategy):
    """A `MirroredStrategy` whose sums have keys of their own.

    By default, every strategy of a process has the same keys, by which TensorFlow remembers the devices and the shapes of a sum. So a second
    strategy with another number of devices would fail.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        self._collective_key_base = _MOST_KEYS * len(devices)
        super().__init__(devices)


@functools.cache
def _mirrored(count: int) -> tf.distribute.Strategy:
    """Returns the strategy for the first devices of this machine: the same in each call, because a new one would use its keys again."""
    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    return _MirroredStrategy([f"{kind}:{number}" for number in range(count)])


def read_states(model: LanguageModel, state: Any) -> np.ndarray:
    """Returns a state variable of all streams in this process, in their order.

    Args:
        model: the model.
        state: one of the states of its layers.
    """
    return np.concatenate([copy.numpy() for copy in _copies(model, state)])


def write_states(model: LanguageModel, state: Any, value: np.ndarray) -> None:
    """Assigns a state variable, of all streams in their order, to the replicas.

    Args:
        model: the model.
        state: one of the states of its layers.
        value: `(batch_size, width)`.
    """
    copies = _copies(model, state)
    for copy, rows in zip(copies, np.split(value, len(copies)), strict=True):
        copy.assign(rows)


def _copies(model: LanguageModel, variable: Any) -> Sequence[tf.Variable]:
    """Returns the copies of a variable, in the order of the replicas."""
    copies: Sequence[tf.Variable] = model.distribute_strategy.experimental_local_results(variable.value)
    return copies


def _create_own_copies(create: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
    """Creates a variable with one copy per replica, which that replica alone updates.

    Keras asks TensorFlow to combine some variables over the replicas whenever one is updated or read, which a compiled function cannot do.
    """
    options |= {"aggregation": tf.VariableAggregation.NONE, "synchronization": tf.VariableSynchronization.AUTO}
    return create(**options)
