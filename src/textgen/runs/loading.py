"""Loads TensorFlow, without its messages and with the settings that it reads only then."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.signals import Signals


@contextlib.contextmanager
def loading_tensorflow(config: TrainingConfig, signals: Signals, console: Console) -> Iterator[None]:
    """Prepares for the import of `textgen.training`, which is the body.

    Args:
        config: the settings of the run.
        signals: handles SIGINT and SIGTERM.
        console: shows that TensorFlow is loading.
    """
    if "tensorflow" not in sys.modules:  # later, these would have no effect
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # By default, TensorFlow uses this memory pool only on GPUs. On a CPU, it makes models of 512 states or more 3 to 7% faster.
        os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
        if config.deterministic:
            # TensorFlow enables oneDNN on most machines, but not on all; the results must not depend on that.
            os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    with console.busy("loading TensorFlow"), console.silenced(), signals.importing():
        yield
