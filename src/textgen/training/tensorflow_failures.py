"""Turns the errors of TensorFlow into ours, each of one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import tensorflow as tf

from textgen.errors import UnavailableError, named
from textgen.workers import lost

_NODE = re.compile(r"\{\{.*?\}\} ?| ?\[Op:.*", re.DOTALL)
"""What TensorFlow adds to an operating system's error message."""
_BEFORE_REASON = ("Graph execution error:", "Detected at node", "<stack traces unavailable>", "  ", "\t")
"""How the lines begin that TensorFlow puts before the reason if a compiled function fails."""


def reason_of(error: BaseException) -> str:
    """Returns the line of an error from TensorFlow or the operating system that gives the reason, without the names of TensorFlow's nodes."""
    lines = _NODE.sub("", getattr(error, "message", None) or str(error)).split("\n")
    return next((line for line in lines if line.strip() and not line.startswith(_BEFORE_REASON)), lines[0])


@contextlib.contextmanager
def explaining_memory() -> Iterator[None]:
    """Turns the memory errors of TensorFlow and NumPy into one line with advice."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise UnavailableError(
            f"training does not fit in memory ({reason_of(error)}); lower {named('batch_size')}, {named('unroll_steps')} or {named('lstm_state_size')}"
        ) from error


@contextlib.contextmanager
def naming_lost_processes(wait_for_reason: Callable[[], None]) -> Iterator[None]:
    """Turns TensorFlow's error about the exchange between the processes into that of the process that is gone.

    Args:
        wait_for_reason: waits a little for that error, because TensorFlow may notice first, and raises it.

    Raises:
        TextgenError: the error.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError:  # of this process alone
        raise
    except tf.errors.OpError as error:
        wait_for_reason()
        raise lost(f"the exchange between the workers failed: {reason_of(error)}") from error
