"""Runs textgen-train, and pauses it after its first save until it notes a signal, so that tests need no clock.

python tests/paused_trainer.py SECONDS ARGUMENTS ...

SECONDS is how long a preempted job of the cloud waits to be killed.
"""

import signal
import sys
import time

from textgen.cli import train
from textgen.jobs import Checkpoint, CheckpointStore
from textgen.signals import Signals

write = CheckpointStore.write


def write_and_pause(self: CheckpointStore, checkpoint: Checkpoint, best_step: int | None = None) -> None:
    CheckpointStore.write = write  # type: ignore[method-assign]
    write(self, checkpoint, best_step)
    handler = signal.getsignal(signal.SIGTERM)
    signals = getattr(handler, "__self__", None)
    assert isinstance(signals, Signals)
    while signals.received is None:
        time.sleep(0.01)


if __name__ == "__main__":
    CheckpointStore.write = write_and_pause  # type: ignore[method-assign]
    train._SECONDS_TO_BE_KILLED = float(sys.argv[1])
    sys.exit(train.main(sys.argv[2:]))
