"""Splits a batch between the cores of a CPU, and estimates what they gain, by arithmetic only.

A loop over time runs on one core, so the batch is split into parts, which run at the same time. Each part reads the whole
recurrent kernel at every step, however few rows it has. So four rows take 0.55 to 0.69 times as long as eight, and two rows 0.77 to
0.92 times as long as four (docs/experiments.md).
"""

from __future__ import annotations

MEASURED_CORES = 2
"""The number of cores on which speeds were measured."""
_LEAST_ROWS = 4
"""The minimum number of rows of a part that has a core of its own. Fewer rows hardly save time."""
_LEAST_ROWS_OF_A_THREAD = 8
"""The minimum number of rows of a part that shares a core with another one, because both together read the kernel twice."""
_ON_ONE_CORE = 0.25
"""The share of a step's time on one core that more cores do not shorten. With it, two cores are 1.6 times as fast as one, as measured:
1.54 to 1.71 times for models of 128 to 512 states (docs/performance.md)."""


def parts_of_batch(streams: int, cores: int, threads: int) -> int:
    """Returns the number of parts that a loop over time splits a batch into.

    Args:
        streams: the number of rows in the batch.
        cores: the number of cores.
        threads: the number of threads that run on them at once; at least as many.
    """
    return max(1, min(cores, streams // _LEAST_ROWS), min(threads, streams // _LEAST_ROWS_OF_A_THREAD))


def relative_speed(streams: int, cores: int) -> float:
    """Returns the approximate speed of training on N cores, relative to that on two.

    This is Amdahl's law, for as many cores as there are parts of the batch. It is measured for one and two cores only.

    Args:
        streams: the batch size.
        cores: the number of cores.
    """
    return _relative_time(streams, MEASURED_CORES) / _relative_time(streams, cores)


def _relative_time(streams: int, cores: int) -> float:
    """The time of a step, relative to that on one core."""
    return _ON_ONE_CORE + (1 - _ON_ONE_CORE) / parts_of_batch(streams, cores, cores)
