"""Sets the number of threads for NumPy's matrix products; must run before NumPy is imported."""

from __future__ import annotations

import os

_VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""The variables of the BLAS libraries in NumPy's wheels: OpenBLAS, and Apple's Accelerate."""


def use_one_blas_thread() -> None:
    """Sets the number of BLAS threads to one, unless the user has set it.

    One step of a small model takes less time than waking a second thread and waiting for it. A large model would be faster
    with two threads, but only on an idle machine. On a busy one, a thread that waits for a core delays the other one in each
    of thousands of products, and sampling takes ten times as long or more.
    """
    if not any(name in os.environ for name in (*_VARIABLES, "OMP_NUM_THREADS")):
        for name in _VARIABLES:
            os.environ[name] = "1"
