"""Models how long the exchange of the gradients between several processes takes. `distributed.py` compares the model with training.

To add up P gradients in a ring, each of N processes sends 2 (N - 1) messages, which have 2 (N - 1) / N times the bytes of the gradients together
(Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations"). So a step takes::

    t(N) = t_compute(batch / N) + 2 (N - 1) latency + ring_bytes(P, N) / bandwidth
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOAT_BYTES = 4
OPERATIONS_PER_PARAMETER = 6
"""Floating-point operations per token of training: two forward and four backward."""


def ring_bytes(parameters: int, processes: int) -> float:
    """Returns the bytes that each process sends in a step."""
    return 2 * (processes - 1) / processes * FLOAT_BYTES * parameters


@dataclass(frozen=True)
class Exchange:
    """A network, as the gradients see it.

    Attributes:
        latency: the seconds that a message takes in addition to its bytes.
        bandwidth: the bytes that each process sends per second.
    """

    latency: float
    bandwidth: float

    def seconds(self, parameters: int, processes: int) -> float:
        """Returns the time of an exchange."""
        return 2 * (processes - 1) * self.latency + ring_bytes(parameters, processes) / self.bandwidth


def fit(measured: Sequence[tuple[int, float]]) -> Exchange:
    """Finds the exchange between two processes that has the least relative errors, by least squares.

    Args:
        measured: pairs of a number of parameters and the seconds of an exchange.
    """
    parameters, seconds = map(np.array, zip(*measured, strict=True))
    sent = np.array([ring_bytes(count, 2) for count in parameters])
    slope, constant = np.polyfit(sent, seconds, 1, w=1 / seconds)
    return Exchange(float(constant) / 2, 1 / float(slope))


def least_tokens(operations_per_second: float, bandwidth: float, share: float = 0.2) -> float:
    """Returns the tokens per step and process from which the exchange takes at most a share of a step.

    The number of parameters cancels out: the operations and the bytes are both proportional to it. Latency is left out, and the number of
    processes is taken to be large; with two, half of the tokens are enough.

    Args:
        operations_per_second: the floating-point operations that the devices of a process sustain in training.
        bandwidth: the bytes that a process sends per second.
        share: the share of the exchange in a step.
    """
    sent_per_parameter = 2 * FLOAT_BYTES
    seconds_per_parameter = sent_per_parameter / bandwidth * (1 / share - 1)
    return seconds_per_parameter * operations_per_second / OPERATIONS_PER_PARAMETER
