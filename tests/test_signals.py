import os
import signal
import subprocess
import sys
import threading

import pytest

from textgen.errors import CancelledError, PreemptedError, StoppedError, UsageError
from textgen.signals import Interrupted, Signals

BOTH = pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StoppedError), (signal.SIGINT, CancelledError)])


def send(number):
    os.kill(os.getpid(), number)


@BOTH
def test_a_signal_ends_the_command_at_once(number, error):
    """Unless it is held back, a signal ends the command at once; the message says that nothing is lost."""
    message = r"^stopped; there was nothing new to save; run the same command again to resume$"
    with pytest.raises(error, match=message), Signals():
        send(number)
        pytest.fail("went on")


@BOTH
def test_an_error_that_a_signal_causes_is_replaced(number, error):
    """If a signal makes other code fail, such as an import, the command ends with the signal's error."""

    def fail():
        try:
            send(number)
        except KeyboardInterrupt:
            raise ImportError("half a module") from None

    with pytest.raises(error), Signals():
        fail()


@BOTH
def test_a_swallowed_signal_ends_the_command_later(number, error):
    """If other code catches the KeyboardInterrupt, the command ends at the next call of `hold`."""

    def swallow():
        try:
            send(number)
        except KeyboardInterrupt:
            return

    with pytest.raises(error), Signals() as signals:
        swallow()
        signals.hold()
        pytest.fail("went on")


@BOTH
def test_a_signal_that_is_held_back_is_noted(number, error):
    """A signal that is held back does not interrupt the command, which ends at its next call of `check`."""
    with Signals() as signals:
        signals.hold()
        signals.check()
        send(number)
        signals.hold()
        with pytest.raises(Interrupted):
            signals.check()
    assert isinstance(signals.error("stopped"), error)


@BOTH
def test_an_error_after_a_noted_signal_is_raised(number, error):
    """An exception after a signal that was held back is raised unchanged, because the signal did not cause it."""
    with pytest.raises(ZeroDivisionError), Signals() as signals:
        signals.hold()
        send(number)
        raise ZeroDivisionError


@BOTH
def test_a_noted_signal_does_not_end_work_that_is_done(number, error):
    """A command that finishes after a signal that was held back ends without an error."""
    with Signals() as signals:
        signals.hold()
        send(number)
        signals.hold()


def test_a_second_ctrl_c_ends_the_command_at_once():
    """A second Ctrl-C ends the command even if signals are held back, and even after a SIGTERM in between."""
    with pytest.raises(CancelledError, match=r"^stopped; everything saved so far is kept; run "), Signals() as signals:
        signals.hold()
        send(signal.SIGINT)
        assert signals.received is signal.SIGINT
        send(signal.SIGTERM)
        send(signal.SIGINT)
        pytest.fail("went on")


def test_a_second_sigterm_does_not_interrupt_the_cleanup():
    """A second SIGTERM, which a cluster may send, does not interrupt the command's cleanup."""
    cleaned = []
    with pytest.raises(StoppedError), Signals():
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            cleaned.append(True)
    assert cleaned


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, PreemptedError), (signal.SIGINT, CancelledError)], ids=["SIGTERM", "SIGINT"]
)
def test_the_error_after_sigterm_can_be_chosen(number, error):
    """The error after SIGTERM can be chosen, because a cloud job needs another exit code; the one after Ctrl-C cannot."""
    with pytest.raises(error) as raised, Signals(PreemptedError):
        send(number)
    assert type(raised.value) is error


def test_errors_without_a_signal_are_unchanged():
    """Without a signal, all exceptions are raised unchanged."""
    for error in (UsageError("no"), ValueError("no"), SystemExit(3)):
        with pytest.raises(type(error)), Signals():
            raise error


def test_an_error_of_the_command_takes_precedence():
    """One of our own errors after a signal, such as a failed save, is raised instead of the signal's error."""
    with pytest.raises(UsageError), Signals() as signals:
        signals.hold()
        send(signal.SIGTERM)
        raise UsageError("no")


def test_handlers_are_restored():
    """The earlier signal handlers are restored at the end."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Signals():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@BOTH
def test_a_process_that_goes_on_gets_its_handlers_back(number, error):
    """If the process does not end, the earlier handlers are back after a signal, and get one that came too late."""
    seen = []
    signal.signal(number, lambda *_: seen.append(number))
    before = signal.getsignal(number)
    with pytest.raises(error), Signals(ends_process=False):
        send(number)
    assert (signal.getsignal(number), seen) == (before, [])
    with Signals(ends_process=False) as signals:
        signals.hold()
        send(number)
        assert seen == []
    assert (signal.getsignal(number), seen) == (before, [number])


@BOTH
def test_an_import_is_completed_in_a_process_that_goes_on(number, error):
    """A signal during an import is noted until the import is done; in a process that ends, it interrupts the import."""
    done = []
    for ends_process in (False, True):
        message = "^stopped; there was nothing new to save; "
        with pytest.raises(error, match=message), Signals(ends_process=ends_process) as signals, signals.importing():
            send(number)
            done.append(ends_process)
    assert done == [False]


def test_another_thread_handles_no_signals():
    """In a thread, no handler is set, and a failure is noted for the next check."""
    before, failures = signal.getsignal(signal.SIGTERM), []

    def work():
        with Signals(ends_process=False) as signals:
            assert signal.getsignal(signal.SIGTERM) == before
            signals.check()
            signals.fail(UsageError("lost"))
            try:
                signals.check()
            except Interrupted:
                failures.append(signals.error("stopped"))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [str(failure) for failure in failures] == ["lost"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_process_exits_changes_nothing(number):
    """A signal while the interpreter exits does not change the exit code."""
    program = (
        "import os, sys\n"
        "from textgen.signals import Signals\n"
        f"class Slow:\n    def __del__(self): os.kill(os.getpid(), {int(number)})\n"
        "slow = Slow()\n"
        "with Signals(): pass\n"
        "sys.exit(3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (3, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_change_the_exit_code(number):
    """A signal after a SIGTERM has ended the command does not change the exit code."""
    program = (
        "import os, signal, sys\n"
        "from textgen.errors import PreemptedError\n"
        "from textgen.signals import Signals\n"
        "try:\n"
        "    with Signals(PreemptedError): os.kill(os.getpid(), signal.SIGTERM)\n"
        "except PreemptedError as error:\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    sys.exit(error.exit_code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (134, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_while_waiting_to_be_killed_change_nothing(number):
    """A signal while the process waits to be killed changes neither the waiting time nor the exit code."""
    program = (
        "import os, sys, time\n"
        "from textgen.signals import wait_to_be_killed\n"
        f"time.sleep = lambda seconds: print(seconds) or os.kill(os.getpid(), {int(number)})\n"
        "wait_to_be_killed(5)\n"
        "sys.exit(134)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (134, "5\n", "")


REPLACED = """
import ctypes, os, signal, threading
from textgen.signals import Signals, start_thread

library = ctypes.CDLL(None)
library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
library.signal.restype = ctypes.c_void_p
with Signals(ends_process=False) as signals:
    signals.hold()
    started = threading.Event()
    start_thread(threading.Thread(target=started.wait))
    with signals.delayed():
        library.signal(signal.SIGTERM, 1)  # SIG_IGN
        threading.Thread(target=started.wait).start()
        os.kill(os.getpid(), signal.SIGTERM)
        before = signals.received
    started.set()
    assert (before, signals.received) == (None, signal.SIGTERM), (before, signals.received)
    signals.received = None
"""


def test_a_handler_that_a_library_has_replaced_is_set_again():
    """A C library can replace the handlers of the process without Python's knowledge; `delayed` undoes it, and loses no signal meanwhile.

    This needs a process of its own, because other tests have left threads that would take the signal.
    """
    subprocess.run([sys.executable, "-c", REPLACED], check=True, timeout=60)
