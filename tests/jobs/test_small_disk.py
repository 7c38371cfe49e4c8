import subprocess

import numpy as np
import pytest

from textgen.errors import AccessError, InputOutputError
from textgen.jobs import Checkpoint, CheckpointStore

SIZE = 250_000
PAGE = 4096


def checkpoint_of(step):
    return Checkpoint(step, {"weights": np.full(SIZE // 4, step, np.float32)}, {"of": step})


def refuse(reason):
    pytest.fail(f"passed over: {reason}")


def assert_newest_is(store, step):
    found = store.newest(refuse)
    assert found.step == step
    assert (found.tensors["weights"] == step).all()
    assert not list(store.directory.glob(".*"))


def test_a_disk_that_fills_up_anywhere_in_a_save_keeps_the_one_before(small_disk, fill):
    """Of 30 sizes of the space that is left, from none to more than a checkpoint; with room again the next save succeeds."""
    store = CheckpointStore(small_disk / "checkpoints")
    refused = 0
    for number, free in enumerate(np.linspace(0, SIZE + 4 * PAGE, 30, dtype=int)):
        store.write(checkpoint_of(2 * number))
        fill(int(free))
        try:
            store.write(checkpoint_of(2 * number + 1))
        except InputOutputError as error:
            assert "No space left on device; free some space" in str(error)  # noqa: PT017 - some sizes suffice
            assert_newest_is(store, 2 * number)
            refused += 1
        else:
            assert_newest_is(store, 2 * number + 1)
        (small_disk / "filler").unlink()
    assert 20 < refused < 30


def test_a_disk_that_turns_read_only_keeps_what_there_is(small_disk):
    """The error names the file and says what to look at, for root too."""
    store = CheckpointStore(small_disk / "checkpoints")
    store.write(checkpoint_of(1))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)  # noqa: S607 - where it lies differs
    with pytest.raises(AccessError, match=r"cannot .*Read-only file system; check the permissions"):
        store.write(checkpoint_of(2))
    assert_newest_is(store, 1)
