"""Prepares the import of TensorFlow: checks that it is installed, configures it, and hides its messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from textgen.console import Console
from textgen.errors import UnavailableError

_NEEDED = ("keras", "tensorboard", "tensorflow")
"""The packages that training imports, and that an installation for sampling lacks."""


def check_tensorflow(use: str) -> None:
    """Checks that TensorFlow is installed, without loading it.

    Args:
        use: what needs it, for the message.

    Raises:
        UnavailableError: if it is not.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise UnavailableError(
            f"{use} needs {' and '.join(missing)}, which this installation of textgen lacks; in the clone of textgen, run pip install ."
        )


@contextmanager
def loading_tensorflow(console: Console, *, deterministic: bool = False) -> Iterator[None]:
    """Configures TensorFlow, and hides its messages while the body imports it.

    Args:
        console: shows that it is loaded.
        deterministic: whether the results must be the same on every machine.
    """
    if "tensorflow" not in sys.modules:  # later, these would have no effect
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # By default, TensorFlow uses this memory pool only on GPUs. On a CPU, it makes models of 512 states or more 3 to 7% faster.
        os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
        if deterministic:
            # TensorFlow enables oneDNN on most machines, but not on all; the results must not depend on that.
            os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    with console.busy("loading TensorFlow"), console.silenced():
        yield
