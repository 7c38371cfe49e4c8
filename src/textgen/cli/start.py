"""Starts the installed commands, and handles signals that arrive while Python is still importing them."""

from __future__ import annotations

import os
import signal

_CODE = 130
"""`CancelledError.exit_code`, without importing it: until the handler is set, Ctrl-C leaves a traceback."""


def textgen() -> int:
    """Runs `textgen`, and returns its exit code."""
    return _start("textgen.cli.main")


def textgen_train() -> int:
    """Runs `textgen-train`, and returns its exit code."""
    # Delays SIGTERM until `Signals` handles it. Now it would end the process with a code of its own or, in a container, in
    # which Python is process 1, be lost.
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
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
