"""The installed commands. From their first moment Ctrl-C ends them quietly, while Python still loads the rest."""

from __future__ import annotations

import importlib
import os
import signal

_CODE = 130
"""`CancelledError.exit_code`; nothing is imported here that could be interrupted."""


def textgen() -> int:
    """Runs `textgen`, and returns its exit code."""
    return _start("textgen.cli.main")


def textgen_train() -> int:
    """Runs `textgen-train`, and returns its exit code."""
    return _start("textgen.cli.train")


def textgen_sample() -> int:
    """Runs `textgen-sample`, and returns its exit code."""
    return _start("textgen.cli.sample")


def _start(module: str) -> int:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell starts background jobs that ignore it
        signal.signal(signal.SIGINT, end_at_once)
    try:
        code: int = importlib.import_module(module).main()
    except KeyboardInterrupt:  # while an earlier end was being reported
        return _CODE
    return code


def end_at_once(number: int, frame: object) -> None:
    """Handles SIGINT while there is nothing to clean up. An exception could be swallowed by an import."""
    del number, frame
    os._exit(_CODE)
