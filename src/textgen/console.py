"""The only writer to standard error: rich on a terminal, plain lines in a pipe, lines of JSON in a cloud job.

Rich is imported at the first use, so that `--help` and sampling do without it.
"""

from __future__ import annotations

import contextlib
import io
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
from importlib.util import find_spec
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, TextIO, cast

from textgen.errors import CancelledError, StoppedError, TextgenError, with_dashes
from textgen.formatting import one_line

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress

_BAR = "  | "
_SPINNER_COLUMNS = 2
_NO_FIELDS: Mapping[str, float | str] = MappingProxyType({})

_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""Control characters, characters that are invisible or change the direction of writing (without the joiners of scripts), and
surrogates, which can stand for a byte that is a control character."""

HARMLESS = "\n\t\xad\u061c\u200b\u200e\u200f\u2060\ufeff"
"""Those of them that occur in ordinary texts and do not steer a terminal."""


class Console:
    """Writes to one stream; `NO_COLOR` is respected.

    Attributes:
        dashes: what precedes the name of a setting (see `textgen.errors.named`): the dashes of a flag, or nothing for a
            Python caller.
        is_silent: whether nothing is written.
    """

    dashes = "--"
    is_silent = False

    @cached_property
    def rich(self) -> RichConsole:
        """The rich console, on a copy of standard error that stays open while descriptor 2 is silenced.

        In a notebook, it writes into the cell, which is no descriptor.
        """
        from rich.console import Console as RichConsole

        if self.is_silent:
            return RichConsole(file=io.StringIO(), quiet=True, force_terminal=False, force_jupyter=False)
        if RichConsole().is_jupyter:
            return RichConsole(stderr=True, highlight=False, emoji=False, soft_wrap=True)
        stream = sys.stderr
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace", buffering=1)
            weakref.finalize(self, stream.close)
        # Without a standard error, `stderr` keeps rich from writing to standard output.
        return RichConsole(file=stream, stderr=True, highlight=False, emoji=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        """Whether a line can be replaced: standard error is a terminal, or the cell of a notebook that has widgets."""
        return self.rich.is_terminal or (self.rich.is_jupyter and find_spec("ipywidgets") is not None)

    def say(
        self,
        text: str = "",
        style: str | None = None,
        fields: Mapping[str, float | str] = _NO_FIELDS,
        kept: str = "",
    ) -> None:
        """Writes a line.

        Args:
            text: the line.
            style: a style of rich.
            fields: the figures of the line, which a cloud job logs separately; elsewhere only the text is written.
            kept: the control characters to write as they are, such as the line breaks of several lines; see `visible`.
        """
        if self.is_silent:
            return
        text = with_dashes(text, self.dashes)
        if writes_log_entries() and not self.is_terminal:
            _write_entry(cast("TextIO", self.rich.file), "INFO", text, fields)
        else:
            self.rich.print(visible(text, kept), style=style, markup=False)

    def warn(self, text: str) -> None:
        """Writes a line that begins with "warning:"."""
        if self.is_silent:
            return
        text = with_dashes(text, self.dashes)
        if writes_log_entries() and not self.is_terminal:
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
        """Hides what C++ libraries write to descriptor 2, and shows it if the body fails unexpectedly."""
        file = self.rich.file
        _flush()
        with tempfile.TemporaryFile() as caught:
            saved = os.dup(2)
            os.dup2(caught.fileno(), 2)
            try:
                yield
            except (TextgenError, KeyboardInterrupt):  # these end in one line of their own
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

    def quote(self, text: str, style: str | None = None) -> None:
        """Writes a text with a bar before each line; on a terminal, long lines are wrapped between words."""
        lines = text.split("\n")
        if self.is_terminal:
            from rich.text import Text

            width = max(1, self.rich.width - len(_BAR))
            lines = visible(text, "\n\t").split("\n")  # before rich counts their columns, and drops some of them
            lines = [row.plain.rstrip() for line in lines for row in Text(line).wrap(self.rich, width)]
        self.say("\n".join(f"{_BAR}{line}" for line in lines), style=style, kept="\n\t")

    def progress(self) -> Progress:
        """A live line for a terminal: a task's description, and the time left in any case.

        Two spaces separate the parts of a description. Of a line that is too long, the last parts are left out.
        """
        from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeRemainingColumn
        from rich.text import Text

        console, time = self.rich, TimeRemainingColumn(compact=True)

        class Status(ProgressColumn):
            def render(self, task: Task) -> Text:
                parts, left = task.description.split("  "), f"{time(task)} left"
                while len(parts) > 1 and len("  ".join([*parts, left])) > console.width - _SPINNER_COLUMNS:
                    parts.pop()
                return Text("  ".join([*parts, left]), no_wrap=True)

        return Progress(SpinnerColumn(), Status(), console=console, transient=True)


def visible(text: str, kept: str = "") -> str:
    r"""A text in which the characters that steer a terminal are escapes, such as `\x1b`.

    Args:
        text: of any origin, such as an answer of a service.
        kept: those of the characters that stay, such as a line break.
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in kept else ascii(found[0])[1:-1], text)


def report_failure(program: str, error: TextgenError) -> None:
    """Writes the one line of an expected failure, or of a stop, which is none; needs no rich, and never fails itself."""
    line, kind = one_line(error.on_command_line), type(error).__name__
    is_stop = isinstance(error, StoppedError | CancelledError)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if writes_log_entries() and not sys.stderr.isatty():
            fields: dict[str, float | str] = {"error": kind, "exit_code": error.exit_code}
            severity, text = ("NOTICE", line) if is_stop else ("ERROR", f"{kind}: {line}")
            _write_entry(sys.stderr, severity, f"{program}: {text}", fields)
        else:
            text = visible(line)
            sys.stderr.write(f"{program}: {text}\n" if is_stop else f"{program}: error: {text}\n")
            sys.stderr.flush()


def report_crashes(program: str) -> None:
    """Makes an unexpected failure write its traceback as one log entry, in a cloud job."""

    def write(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        _write_entry(sys.stderr, "CRITICAL", f"{program}: {text}")

    if writes_log_entries() and sys.stderr is not None and not sys.stderr.isatty():
        sys.excepthook = write


def in_cloud_job() -> bool:
    """Whether this process is a job of Vertex AI, which starts it with one of two variables, or both."""
    return any(os.environ.get(name) for name in ("CLOUD_ML_JOB_ID", "CLUSTER_SPEC"))


def writes_log_entries() -> bool:
    """Whether Vertex AI runs this process, as a job or to answer predictions, and Cloud Logging reads its lines as JSON."""
    return in_cloud_job() or bool(os.environ.get("AIP_HTTP_PORT"))


def _write_entry(stream: TextIO, severity: str, text: str, fields: Mapping[str, float | str] = _NO_FIELDS) -> None:
    """Writes a log entry (Cloud Logging's documentation, "Structured logging")."""
    entry = {"severity": severity, "message": text, "time": datetime.now(UTC).isoformat(), **fields}
    stream.write(json.dumps(entry) + "\n")
    stream.flush()


def _flush() -> None:
    """Flushes standard error, if there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
