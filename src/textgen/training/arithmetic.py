"""Fixes what decides the last bits of a result besides the settings: threads and the kernels that share work among them.

A sum of floating-point numbers depends on its order, and TensorFlow's order depends on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from textgen.model import usable_cores


def fix_threads(before: Mapping[str, Any], warn: Callable[[str], None]) -> dict[str, Any]:
    """Gives TensorFlow a fixed number of threads; must come before its first operation.

    Args:
        before: what this gave when the job's checkpoint was made; empty for a new job.
        warn: called with one line when the same bits cannot be had.

    Returns:
        What decides the bits, as JSON values, for the checkpoints.
    """
    threads = before.get("threads") or usable_cores()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:  # TensorFlow has begun: a caller of its own, and not the command
        threads = usable_cores()
    found = {"threads": threads, "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS"), "tensorflow": tf.__version__}
    differing = [
        f"{name} {before.get(name)} and not {found[name]}" for name in found if before.get(name) != found[name]
    ]
    if before and differing:
        warn(f"the job began with {', '.join(differing)}: its last bits will differ from those of an unbroken run")
    return found


def fix_kernels() -> None:
    """Lets every operation give the same bits each time; `tf.data` maps made after this run one call at a time."""
    tf.config.experimental.enable_op_determinism()
