"""Handles SIGINT and SIGTERM for a command that must not lose its work.

While nothing can be lost, a signal ends the command at once. Later it is only noted, and the command ends at the next point
where its work is safe. A second SIGINT always ends it at once.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

from textgen.errors import CancelledError, StoppedError, TextgenError

_HANDLED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - no failure
    """A signal arrived during work that can be repeated."""


class Signals:
    """While entered, SIGINT ends as a `CancelledError` and SIGTERM as a `StoppedError`.

    Only the main thread can handle signals. In any other thread, they are left alone.

    Args:
        after_sigterm: the class of the error after SIGTERM.
        ends_process: whether the process ends after this, so that later signals are ignored. Otherwise, the earlier handlers are
            restored, and get a signal that came too late to end anything here.

    Attributes:
        received: the first signal that arrived.
        advice: how to resume, for the error.
    """

    def __init__(self, after_sigterm: type[StoppedError] = StoppedError, *, ends_process: bool = True) -> None:
        self.received: signal.Signals | None = None
        self.advice = "run the same command again to resume"
        self._after_sigterm = after_sigterm
        self._ends_process = ends_process
        self._failure: TextgenError | None = None
        self._is_held = False
        self._was_raised = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _HANDLED:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ends_process:
            self._restore()
            if error is None and self.received is not None and self._failure is None:
                signal.raise_signal(self.received)
        elif self.received is None:
            self._restore()
            atexit.register(_ignore_all)
        else:  # the exit code is decided, and a second SIGTERM must not replace it
            _ignore_all()
        # Not only KeyboardInterrupt: an import that it interrupts may fail with an error of its own. A signal that was only
        # noted interrupts nothing, so an error after it is the command's.
        if self._was_raised and error is not None and not isinstance(error, (TextgenError, SystemExit)):
            saved = "everything saved so far is kept" if self._is_held else "there was nothing new to save"
            raise self.error(f"stopped; {saved}") from None

    def deliver_early(self) -> None:
        """Handles a SIGTERM that arrived during the imports, which `textgen.cli.start` has blocked."""
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Protects imports in a process that does not end: a signal is noted, because half a module cannot be imported again.

        Raises:
            KeyboardInterrupt: after the body, if a signal was noted.
        """
        self._is_held = not self._ends_process
        yield
        self._is_held = False
        if self.received is not None:
            self._was_raised = True
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def delayed(self) -> Iterator[None]:
        """Delays signals during the body, in which a library may replace the handlers of the process without Python's knowledge.

        Threads that the body starts leave signals to the main thread, even afterwards. Others must have been started by `start_thread`.
        """
        with _blocked():
            try:
                yield
            finally:
                for number in self._before:
                    signal.signal(number, self._receive)

    def hold(self) -> None:
        """Only notes signals from now on.

        Raises:
            KeyboardInterrupt: if an earlier signal raised it, and the interrupted code swallowed it.
        """
        if self._was_raised:
            raise KeyboardInterrupt
        self._is_held = True

    def check(self) -> None:
        """Raises Interrupted if a signal was noted."""
        if self.received is not None:
            raise Interrupted

    def fail(self, failure: TextgenError) -> None:
        """Ends the command as SIGTERM does, but with the given failure. Can be called in any thread."""
        self._failure = failure
        if self._before:
            _thread.interrupt_main(signal.SIGTERM)
        elif self.received is None:
            self.received = signal.SIGTERM

    def error(self, text: str) -> TextgenError:
        """The error to end the command with: the failure given to `fail`, or else the one for the signal.

        Args:
            text: what happened. The advice is appended.
        """
        if self._failure is not None:
            return self._failure
        return (CancelledError if self.received is signal.SIGINT else self._after_sigterm)(f"{text}; {self.advice}")

    def _restore(self) -> None:
        """Restores the earlier handlers, except one that Python has not installed."""
        for number, handler in self._before.items():
            if handler is not None:
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is None:
            self.received = signal.Signals(number)
            ends_at_once = not self._is_held
        else:
            ends_at_once = number == signal.SIGINT
        if ends_at_once:
            self._was_raised = True
            raise KeyboardInterrupt


def start_thread(thread: threading.Thread) -> None:
    """Starts a thread that takes no signal of the process, so that all are left to the main thread, which can delay them.

    Args:
        thread: the thread, which is not yet started.
    """
    with _blocked():
        thread.start()


def wait_to_be_killed(seconds: float) -> None:
    """Waits for SIGKILL, which usually follows SIGTERM, and returns if it does not come. Ignores SIGINT and SIGTERM.

    Args:
        seconds: how long to wait.
    """
    _ignore_all()
    time.sleep(seconds)


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Blocks signals in this thread, and in those that it starts meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_all() -> None:
    """Ignores signals from now on: the exit code is decided, but TensorFlow takes a moment to shut down."""
    for number in _HANDLED:
        signal.signal(number, signal.SIG_IGN)
