"""Runs a command and turns every end into an exit code: failures in one line, a closed pipe, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from textgen.cli.start import end_at_once
from textgen.console import report_crashes, report_failure
from textgen.errors import CancelledError, TextgenError, UnavailableError, from_os_error


def run_command(program: str, command: Callable[[Sequence[str]], None], arguments: Sequence[str] | None) -> int:
    """Runs a command and turns the exceptions it raises into an exit code.

    Args:
        program: the command's name, for its error lines.
        command: the function to call with the arguments, which do not include the program's name.
        arguments: the arguments; None for those of the process.

    Returns:
        The exit code.
    """
    _open_missing_streams()
    report_crashes(program)
    try:
        if signal.getsignal(signal.SIGINT) is end_at_once:  # the imports are done, and the command may have to clean up
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = _call(command, sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader is gone
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        doing = "input or output failed" if error.filename is None else f"cannot use {error.filename}"
        return _fail(program, from_os_error(error, doing))
    except TextgenError as error:
        return _fail(program, error)
    except MemoryError:
        return _fail(
            program,
            UnavailableError("there is not enough memory; free some, or ask for a smaller model or for less at once"),
        )
    except KeyboardInterrupt:
        return _fail(program, CancelledError("stopped by Ctrl-C"))
    return code


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Makes Ctrl-C end the process at once, for imports that would turn a `KeyboardInterrupt` into an `ImportError`."""
    before = signal.getsignal(signal.SIGINT)
    changes = before is signal.default_int_handler  # a shell may have started it to ignore SIGINT
    if changes:
        signal.signal(signal.SIGINT, end_at_once)
    try:
        yield
    finally:
        if changes:
            signal.signal(signal.SIGINT, before)


def _call(command: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> int:
    try:
        command(arguments)
    except SystemExit as end:  # argparse, after --help and --version
        return int(end.code or 0)
    return 0


def _fail(program: str, error: TextgenError) -> int:
    report_failure(program, error)
    return error.exit_code


def _open_missing_streams() -> None:
    """Opens the null device for each standard stream that the caller closed (`>&-`), which Python sets to None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - stays open


def _drop_output() -> None:
    """Redirects standard output to the null device: Python flushes it once more at exit, which would fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # a stand-in for the stream, in a test, may have no descriptor
        os.dup2(null, sys.stdout.fileno())
    os.close(null)
