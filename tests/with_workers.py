"""Runs `textgen-train` in several processes, for tests."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

from safetensors.numpy import load_file

from tests.commands import installed

HANG_SECONDS = 300.0
"""Longer than anything here takes, even on a busy machine."""

SETTINGS = [
    *("book.txt", "--lstm_state_size=8", "--batch_size=6", "--unroll_steps=16", "--sample_length=10"),
    *("--learning_rate=0.01", "--save_steps=20", "--deterministic"),
]


def run(*arguments, expected=0, **environment):
    """Runs `textgen-train` in another process; returns its standard error."""
    done = subprocess.run(
        [*installed("textgen-train"), *SETTINGS, *arguments],
        env={**os.environ, **environment},
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == expected, done.stderr
    return done.stderr


def last_state(job):
    """Returns every array of the newest checkpoint."""
    return load_file(max(Path(job, "checkpoints").glob("*.safetensors")))


def workers_of(pid):
    """Returns the ids of the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(condition):
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
