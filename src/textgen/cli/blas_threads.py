"""Chooses how many threads NumPy's products use; must run before NumPy is imported, and so knows nothing of arrays."""

from __future__ import annotations

import os
from pathlib import Path

from textgen.jobs import JobDirectory

_VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Of the libraries that NumPy's wheels bring: OpenBLAS, and Apple's Accelerate."""

_LEAST_SHARED_BYTES = 8 << 20
_MOST_THREADS = 4


def choose_blas_threads(model: str) -> None:
    """Sets the number of BLAS threads, if the user has not.

    A step of a small model takes less time than waking a second thread and waiting for it. The weights of a large one
    come from memory, which two threads read faster than one, but many do not.

    Args:
        model: the path of the model file, or of the job directory with it; one that is not there counts as small.
    """
    if any(name in os.environ for name in (*_VARIABLES, "OMP_NUM_THREADS")):
        return
    path = Path(model)
    try:
        size = (JobDirectory(path).model if path.is_dir() else path).stat().st_size
    except OSError:
        size = 0
    threads = min(os.cpu_count() or 1, _MOST_THREADS) if size >= _LEAST_SHARED_BYTES else 1
    for name in _VARIABLES:
        os.environ[name] = str(threads)
