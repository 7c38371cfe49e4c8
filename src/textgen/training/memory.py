"""Lets this process keep the memory that a training step gives back; knows nothing of what is trained.

A step makes and drops hundreds of tensors of megabytes. The C library returns such pieces to the operating system, which clears
each page again when the next step asks: a third to a half of all time on a CPU (docs/performance.md).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_MEMORY_POOL = "TF_CPU_ALLOCATOR_USE_BFC"
"""Gives TensorFlow's tensors on a CPU the pool of memory that they have on a GPU."""

_TOP_PAD = -2
"""M_TOP_PAD of mallopt(3), which the work space of products and of compiled loops obeys: it is no tensor's."""

_KEPT_BYTES = 64 << 20
"""What each of the C library's arenas asks for beside what it needs, and holds back when it returns memory."""


def keep_memory() -> None:
    """Makes memory stay with the process; must come before TensorFlow's first operation.

    What `TF_CPU_ALLOCATOR_USE_BFC` says already is obeyed. Without the GNU C library, only tensors are kept.
    """
    os.environ.setdefault(_MEMORY_POOL, "true")
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # a C library without mallopt
            ctypes.CDLL(None).mallopt(_TOP_PAD, _KEPT_BYTES)
