"""What SIGINT and SIGTERM do to a command that must lose nothing; knows nothing of what the command does.

At first a signal ends the command at once, as there is nothing to lose. While it holds signals back they are only noted,
for it to end where it can end well. A second SIGINT ends it at once in any case.
"""

from __future__ import annotations

import _thread
import atexit
import signal
from types import FrameType, TracebackType
from typing import Any, Self

from textgen.errors import CancelledError, StoppedError, TextgenError

_HANDLED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - no failure
    """A signal came while something went on that can be done again."""


class Signals:
    """While entered, SIGINT ends as a `CancelledError` and SIGTERM as a `StoppedError`.

    Attributes:
        received: the first signal that came.
        advice: how to go on, for the error.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._failure: TextgenError | None = None
        self.advice = "run the same command again to go on"
        self._held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _HANDLED:
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        atexit.register(_ignore_all)
        # Not only KeyboardInterrupt: an import that it breaks into may fail with an error of its own.
        if self.received is not None and error is not None and not isinstance(error, (TextgenError, SystemExit)):
            raise self.error("stopped") from None

    def hold(self) -> None:
        """From now on a signal is only noted.

        Raises:
            KeyboardInterrupt: when one came before, and what it interrupted went on all the same.
        """
        if self.received is not None and not self._held:
            raise KeyboardInterrupt
        self._held = True

    def release(self) -> None:
        """From now on a signal ends the command at once again."""
        self._held = False

    def check(self) -> None:
        """Raises Interrupted when a signal was noted."""
        if self.received is not None:
            raise Interrupted

    def fail(self, failure: TextgenError) -> None:
        """Ends the command as SIGTERM does, but with a failure of its own; for another thread to call."""
        self._failure = failure
        _thread.interrupt_main(signal.SIGTERM)

    def error(self, text: str) -> TextgenError:
        """What the command ends with: a `CancelledError` after SIGINT, else a `StoppedError`; or what `fail` was given.

        Args:
            text: what to say before the advice.
        """
        if self._failure is not None:
            return self._failure
        return (CancelledError if self.received is signal.SIGINT else StoppedError)(f"{text}; {self.advice}")

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        at_once = not self._held or (self.received is not None and number == signal.SIGINT)
        self.received = self.received or signal.Signals(number)
        if at_once:
            raise KeyboardInterrupt


def _ignore_all() -> None:
    """Keeps signals from a process whose work is done: TensorFlow takes a moment to go, and the exit code is decided."""
    for number in _HANDLED:
        signal.signal(number, signal.SIG_IGN)
