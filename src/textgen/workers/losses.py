"""Turns the end of one process of a cluster into that of the others: exit codes, and a limit to the time it takes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from textgen.console import in_cloud_job, report_failure
from textgen.errors import PreemptedError, TextgenError, UnavailableError
from textgen.signals import start_thread

SECONDS_TO_END = 60.0
"""How long a process may take to end by itself: to finish a step, and to upload what it has saved."""


def lost(what: str) -> TextgenError:
    """Returns the error of a run that has lost one of its processes. Vertex AI starts a job again after it.

    Args:
        what: which process, and how it ended.
    """
    if in_cloud_job():
        return PreemptedError(
            f"{what}; Vertex AI restarts the job, which then resumes; if it does not, submit it again"
        )
    return UnavailableError(f"{what}; run the same command again to resume from the last checkpoint")


def error_of(code: int, text: str) -> TextgenError:
    """Returns the error with an exit code.

    Args:
        code: the exit code of another process.
        text: the message.
    """
    kinds = [TextgenError]
    for kind in kinds:  # the list grows
        kinds += kind.__subclasses__()
    kind = next((kind for kind in kinds if kind.exit_code == code), UnavailableError)
    return kind(text)


def end_by_force(error: TextgenError, seconds: float = SECONDS_TO_END) -> Callable[[], None]:
    """Ends this process after some time, if it has not ended by then: TensorFlow may wait for a process that is gone.

    Nothing that is saved is lost: to the files, it is like a SIGKILL.

    Args:
        error: the error to end with.
        seconds: how long to wait.

    Returns:
        A function that stops the clock.
    """

    def end() -> None:
        report_failure("textgen-train", error)
        os._exit(error.exit_code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    start_thread(timer)
    return timer.cancel
