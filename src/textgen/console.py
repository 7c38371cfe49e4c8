"""Writes to standard error: with rich on a terminal, plain lines in a pipe, lines of JSON in a cloud job.

No other module writes there. Rich is imported on first use, because `--help` and sampling do not need it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
import traceback
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, TextIO, cast

from textgen.errors import CancelledError, StoppedError, TextgenError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress

_NO_FIELDS: Mapping[str, float | str] = MappingProxyType({})

_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""Control characters, and those that are invisible or change the direction of writing; without the joiners of scripts."""


class Console:
    """Writes to one stream; `NO_COLOR` is respected."""

    @cached_property
    def rich(self) -> RichConsole:
        """The rich console on a copy of standard error, which stays open while descriptor 2 is silenced."""
        from rich.console import Console as RichConsole

        stream = sys.stderr
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace", buffering=1)
            weakref.finalize(self, stream.close)
        # Without a standard error, `stderr` keeps rich from writing to standard output.
        return RichConsole(file=stream, stderr=True, highlight=False, emoji=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        """Whether the stream is a terminal."""
        return self.rich.is_terminal

    def say(self, text: str = "", style: str | None = None, fields: Mapping[str, float | str] = _NO_FIELDS) -> None:
        """Writes a line.

        Args:
            text: the line.
            style: as rich names it.
            fields: the figures in the line, for the log of a cloud job. Elsewhere only the text is written.
        """
        if _in_cloud_job() and not self.is_terminal:
            _write_entry(cast("TextIO", self.rich.file), "INFO", text, fields)
        else:
            self.rich.print(visible(text, "\n\t"), style=style, markup=False)

    def warn(self, text: str) -> None:
        """Writes a line that begins with "warning:"."""
        if _in_cloud_job() and not self.is_terminal:
            _write_entry(cast("TextIO", self.rich.file), "WARNING", text)
        else:
            self.say(f"warning: {text}", style="yellow")

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Shows a spinner on a terminal while the body runs; writes nothing in a pipe."""
        if not self.is_terminal:
            yield
            return
        from rich.text import Text

        with self.rich.status(Text(visible(text))):
            yield

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Keeps what C++ libraries write to descriptor 2 off the terminal, and shows it if the body fails unexpectedly."""
        file = self.rich.file
        _flush()
        with tempfile.TemporaryFile() as caught:
            saved = os.dup(2)
            os.dup2(caught.fileno(), 2)
            try:
                yield
            except (TextgenError, KeyboardInterrupt):  # are reported in one line
                raise
            except BaseException:
                _flush()
                caught.seek(0)
                file.write(caught.read().decode(errors="replace"))
                file.flush()
                raise
            finally:
                _flush()
                os.dup2(saved, 2)
                os.close(saved)

    def progress(self) -> Progress:
        """A live line for a terminal: a task's description and the time left, within 80 columns."""
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.rich,
            transient=True,
        )


def visible(text: str, kept: str = "") -> str:
    r"""Replaces the characters that steer a terminal by escapes, such as `\x1b`.

    Args:
        text: of any origin, such as an answer of a service.
        kept: the ones to leave as they are, such as a line break.
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in kept else ascii(found[0])[1:-1], text)


def report_failure(program: str, error: TextgenError) -> None:
    """Writes the line for an expected failure or a stop. Does not load rich, and never fails."""
    line, kind = " ".join(str(error).split()), type(error).__name__
    is_stop = isinstance(error, StoppedError | CancelledError)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if _in_cloud_job() and not sys.stderr.isatty():
            fields: dict[str, float | str] = {"error": kind, "exit_code": error.exit_code}
            severity, text = ("NOTICE", line) if is_stop else ("ERROR", f"{kind}: {line}")
            _write_entry(sys.stderr, severity, f"{program}: {text}", fields)
        else:
            text = visible(line)
            sys.stderr.write(f"{program}: {text}\n" if is_stop else f"{program}: error: {text}\n")
            sys.stderr.flush()


def report_crashes(program: str) -> None:
    """In a cloud job, writes the traceback of an unexpected failure as one log entry from now on."""

    def write(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        _write_entry(sys.stderr, "CRITICAL", f"{program}: {text}")

    if _in_cloud_job() and sys.stderr is not None and not sys.stderr.isatty():
        sys.excepthook = write


def _in_cloud_job() -> bool:
    """Whether this is a job of Vertex AI, which reads lines of JSON as log entries."""
    return bool(os.environ.get("CLOUD_ML_JOB_ID"))


def _write_entry(stream: TextIO, severity: str, text: str, fields: Mapping[str, float | str] = _NO_FIELDS) -> None:
    """Writes an entry of a log (Cloud Logging's documentation, "Structured logging")."""
    entry = {"severity": severity, "message": text, "time": datetime.now(UTC).isoformat(), **fields}
    stream.write(json.dumps(entry) + "\n")
    stream.flush()


def _flush() -> None:
    """Flushes standard error, if there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
