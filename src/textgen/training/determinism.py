"""Makes results reproducible to the last bit: fixes the number of threads and selects deterministic kernels.

A sum of floating-point numbers depends on its order, and TensorFlow's order depends on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from textgen.model import usable_cores


def fix_threads(before: Mapping[str, Any], warn: Callable[[str], None], *, devices: int = 1) -> dict[str, Any]:
    """Sets TensorFlow's number of threads; must be called before its first operation.

    Args:
        before: the value returned when the job's checkpoint was written; empty for a new job.
        warn: called with one line when the results cannot be bit-identical.
        devices: the number of devices that share each step, whose results are summed.

    Returns:
        The values that the last bits depend on, as JSON, for the checkpoints.
    """
    threads = before.get("threads") or usable_cores()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:  # a Python caller has used TensorFlow before
        threads = usable_cores()
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    found = {"threads": threads, "onednn": onednn, "tensorflow": tf.__version__, "devices": devices}
    known = {"devices": 1, **before}  # earlier versions trained on one device
    differing = [f"{name} {known.get(name)} (now {found[name]})" for name in found if known.get(name) != found[name]]
    if before and differing:
        warn(f"the job started with {', '.join(differing)}; its results may differ in the last bits")
    return found


def fix_kernels() -> None:
    """Selects deterministic kernels. `tf.data` maps created after this run one call at a time."""
    tf.config.experimental.enable_op_determinism()
