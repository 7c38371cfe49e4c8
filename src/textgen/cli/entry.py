"""What every command does around its work: exit codes, one-line failures, a closed pipe, Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from textgen.console import report_failure
from textgen.errors import CancelledError, TextgenError


def run_command(program: str, command: Callable[[Sequence[str]], None], arguments: Sequence[str] | None) -> int:
    """Runs a command and turns what it raises into an exit code.

    Args:
        program: how the command is called, for its error lines.
        command: the work; given the arguments without the program's name.
        arguments: those; None for the process' own.

    Returns:
        The exit code.
    """
    try:
        command(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except SystemExit as end:  # argparse, after --help and --version
        return int(end.code or 0)
    except TextgenError as error:
        report_failure(program, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        report_failure(program, "stopped by Ctrl-C")
        return CancelledError.exit_code
    except BrokenPipeError:
        # Nobody reads on. Python would complain when it flushes the pipe at its end; give it another one to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
