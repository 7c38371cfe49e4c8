import os
import signal
import threading

import pytest

from textgen.errors import CancelledError, StoppedError
from textgen.jobs import JobState


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StoppedError), (signal.SIGINT, CancelledError)])
def test_a_signal_ends_training_after_the_step_with_a_checkpoint(run, number, error, monkeypatch):
    """SIGTERM and Ctrl-C finish the step, save it, and say how to go on; the next run does."""
    timer = threading.Timer(4.0, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(error, match="run the same command again"):
        run(max_steps=10**9)
    timer.join()
    _, job, said = run(max_steps=10**9, minutes=0.001)
    assert "Going on from step" in said
    assert JobState.read(job.state).status == "finished"


def test_handlers_are_as_before_afterwards(run):
    """Training gives the process' own handlers back."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run(max_steps=1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
