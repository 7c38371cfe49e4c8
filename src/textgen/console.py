"""The only writer to standard error: rich on a terminal, plain lines in a pipe.

Knows nothing of what is said. Rich is imported at the first use, so that `--help` and sampling do without it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import weakref
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from textgen.errors import TextgenError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress


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
        """Whether somebody looks on."""
        return self.rich.is_terminal

    def say(self, text: str = "", style: str | None = None) -> None:
        """Writes a line."""
        self.rich.print(text, style=style, markup=False)

    def warn(self, text: str) -> None:
        """Writes a line that begins with "warning:"."""
        self.say(f"warning: {text}", style="yellow")

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Shows a spinner on a terminal while the body runs; writes nothing in a pipe."""
        if not self.is_terminal:
            yield
            return
        from rich.text import Text

        with self.rich.status(Text(text)):
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
            except (TextgenError, KeyboardInterrupt):  # end in one line that says what there is to know
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
        """A live line for a terminal: a task's description and the time that is left, within 80 columns."""
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.rich,
            transient=True,
        )


def report_failure(program: str, message: str) -> None:
    """Writes the one line that an expected failure leaves; needs no rich, and never fails itself."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{program}: error: {' '.join(message.split())}\n")
        sys.stderr.flush()


def _flush() -> None:
    """Lets go what Python holds back for standard error, if there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
