"""Chooses how many threads NumPy's products use; must run before NumPy is imported, and so knows nothing of arrays."""

from __future__ import annotations

import os

_VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Of the libraries that NumPy's wheels bring: OpenBLAS, and Apple's Accelerate."""


def use_one_blas_thread() -> None:
    """Sets the number of BLAS threads to one, if the user has set none.

    A step of a small model takes less time than waking a second thread and waiting for it. A large one is faster with two
    on a machine that has nothing else to do; but a thread that must wait for a core keeps the others waiting at each of
    the thousands of products, and sampling then takes ten times as long or more.
    """
    if not any(name in os.environ for name in (*_VARIABLES, "OMP_NUM_THREADS")):
        for name in _VARIABLES:
            os.environ[name] = "1"
