import os
import signal
import subprocess
import sys

import pytest

from textgen.errors import CancelledError, PreemptedError, StoppedError, UsageError
from textgen.signals import Interrupted, Signals

BOTH = pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StoppedError), (signal.SIGINT, CancelledError)])


def send(number):
    os.kill(os.getpid(), number)


@BOTH
def test_at_first_a_signal_ends_the_command_at_once(number, error):
    """Nothing after it is executed; the message tells what is lost, which is nothing, and how to resume."""
    message = r"^stopped; there was nothing new to save; run the same command again to resume$"
    with pytest.raises(error, match=message), Signals():
        send(number)
        pytest.fail("went on")


@BOTH
def test_an_error_of_what_a_signal_broke_into_is_the_signal(number, error):
    """An import that is interrupted may raise an ImportError, which says nothing of the KeyboardInterrupt."""

    def fail():
        try:
            send(number)
        except KeyboardInterrupt:
            raise ImportError("half a module") from None

    with pytest.raises(error), Signals():
        fail()


@BOTH
def test_a_signal_that_was_swallowed_ends_the_command_later(number, error):
    """Code that catches everything delays the end until the command next holds signals back."""

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
def test_while_held_back_a_signal_is_noted(number, error):
    """The command runs on to where it ends well, and gets its error there."""
    with Signals() as signals:
        signals.hold()
        signals.check()
        send(number)
        signals.hold()
        with pytest.raises(Interrupted):
            signals.check()
    assert isinstance(signals.error("stopped"), error)


@BOTH
def test_an_error_after_a_noted_signal_is_itself(number, error):
    """A noted signal breaks into nothing, so a bug that shows afterwards is not taken for a stop."""
    with pytest.raises(ZeroDivisionError), Signals() as signals:
        signals.hold()
        send(number)
        raise ZeroDivisionError


@BOTH
def test_a_noted_signal_does_not_end_work_that_is_done(number, error):
    """Whoever finishes after a signal has finished."""
    with Signals() as signals:
        signals.hold()
        send(number)
        signals.hold()


def test_a_second_ctrl_c_ends_it_at_once_in_any_case():
    """Whoever presses it twice does not want to wait; a SIGTERM in between changes nothing."""
    with pytest.raises(CancelledError, match=r"^stopped; everything saved so far is kept; run "), Signals() as signals:
        signals.hold()
        send(signal.SIGINT)
        assert signals.received is signal.SIGINT
        send(signal.SIGTERM)
        send(signal.SIGINT)
        pytest.fail("went on")


def test_a_second_sigterm_does_not_break_into_the_end():
    """A cluster may send it again while the command cleans up after the first."""
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
    """A job of the cloud ends with another exit code than a command at home."""
    with pytest.raises(error) as raised, Signals(PreemptedError):
        send(number)
    assert type(raised.value) is error


def test_failures_without_a_signal_are_what_they_are():
    """Errors of the command, and all others, are raised unchanged."""
    for error in (UsageError("no"), ValueError("no"), SystemExit(3)):
        with pytest.raises(type(error)), Signals():
            raise error


def test_a_failure_of_the_command_says_more_than_the_signal():
    """A save that fails after a signal is reported."""
    with pytest.raises(UsageError), Signals() as signals:
        signals.hold()
        send(signal.SIGTERM)
        raise UsageError("no")


def test_handlers_are_as_before_afterwards():
    """The process gets its own handlers back."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Signals():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_process_exits_changes_nothing(number):
    """The exit code is that of the work, which is done."""
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
def test_after_a_signal_no_other_one_changes_the_exit_code(number):
    """A cluster may send SIGTERM again while the command reports its end and waits to be killed."""
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
def test_while_it_waits_to_be_killed_no_other_signal_counts(number):
    """The exit code is decided, and nobody waits forever."""
    program = (
        "import os, sys, time\n"
        "from textgen.signals import wait_to_be_killed\n"
        f"time.sleep = lambda seconds: print(seconds) or os.kill(os.getpid(), {int(number)})\n"
        "wait_to_be_killed(5)\n"
        "sys.exit(134)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (134, "5\n", "")
