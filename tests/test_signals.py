import os
import signal
import subprocess
import sys

import pytest

from textgen.errors import CancelledError, StoppedError, UsageError
from textgen.signals import Interrupted, Signals

BOTH = pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StoppedError), (signal.SIGINT, CancelledError)])


def send(number):
    os.kill(os.getpid(), number)


@BOTH
def test_at_first_a_signal_ends_the_command_at_once(number, error):
    """Nothing after it is done, and the error says that the same command goes on."""
    with pytest.raises(error, match="run the same command again"), Signals():
        send(number)
        pytest.fail("went on")


@BOTH
def test_a_signal_counts_though_what_it_broke_into_fails_in_its_own_way(number, error):
    """An import that is interrupted may say ImportError; that is the signal's doing."""

    def fail():
        try:
            send(number)
        except KeyboardInterrupt:
            raise ImportError("half a module") from None

    with pytest.raises(error), Signals():
        fail()


@BOTH
def test_a_signal_counts_though_it_was_swallowed(number, error):
    """What catches everything delays the end to the next point that looks, and no further."""

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
    """The command goes on to where it ends well, and gets the error from there."""
    with Signals() as signals:
        signals.hold()
        signals.check()
        send(number)
        signals.hold()
        with pytest.raises(Interrupted):
            signals.check()
    assert isinstance(signals.error("stopped"), error)


def test_a_second_ctrl_c_ends_it_at_once_in_any_case():
    """Whoever presses it twice does not want to wait; a SIGTERM between changes nothing."""
    with pytest.raises(CancelledError), Signals() as signals:
        signals.hold()
        send(signal.SIGINT)
        assert signals.received is signal.SIGINT
        send(signal.SIGTERM)
        send(signal.SIGINT)
        pytest.fail("went on")


def test_afterwards_a_signal_ends_the_command_at_once_again():
    """What comes after training has nothing to lose either."""
    with pytest.raises(StoppedError), Signals() as signals:
        signals.hold()
        signals.release()
        send(signal.SIGTERM)
        pytest.fail("went on")


def test_failures_without_a_signal_are_what_they_are():
    """Errors of the command, and other ones, pass."""
    for error in (UsageError("no"), ValueError("no"), SystemExit(3)):
        with pytest.raises(type(error)), Signals():
            raise error


def test_a_failure_of_the_command_says_more_than_the_signal():
    """A save that fails after a signal is told."""
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
def test_a_signal_while_the_process_ends_changes_nothing(number):
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
