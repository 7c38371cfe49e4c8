"""Starts the installed commands, which Ctrl-C ends quietly even while Python is still importing them."""

from __future__ import annotations

import os
import signal

_CODE = 130
"""`CancelledError.exit_code`. Importing that would take time in which Ctrl-C leaves a traceback."""


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
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have started it to ignore SIGINT
        signal.signal(signal.SIGINT, end_at_once)
    import importlib

    try:
        code: int = importlib.import_module(module).main()
    except KeyboardInterrupt:  # while `run_command` reports the end
        return _CODE
    return code


def end_at_once(number: int, frame: object) -> None:
    """Handles SIGINT while there is nothing to clean up. An import could swallow an exception."""
    del number, frame
    os._exit(_CODE)
