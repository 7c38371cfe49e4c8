"""Sends what the service logs to the console, which writes lines for people or entries for Cloud Logging."""

from __future__ import annotations

import contextlib
import logging
import sys

from textgen.console import Console


class ConsoleHandler(logging.Handler):
    """Writes each record as a line. A mistake in textgen has its traceback too."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record; its attribute `fields`, if it has one, are the figures of the line."""
        text = record.getMessage()
        with contextlib.suppress(OSError):  # nobody reads standard error any more, but requests can still be answered
            if record.levelno >= logging.WARNING:
                self._console.warn(text)
            else:
                self._console.say(text, fields=getattr(record, "fields", {}))
            if record.exc_info and record.exc_info[1] is not None:
                sys.excepthook(*record.exc_info)


def log_to(console: Console) -> None:
    """Sends the log of the service to a console."""
    log = logging.getLogger("textgen.serving")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [ConsoleHandler(console)]
