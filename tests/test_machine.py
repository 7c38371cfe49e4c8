import os

import pytest

from textgen import machine

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not list threads")


@pytest.fixture
def threads(monkeypatch, tmp_path):
    """Returns a function that makes a machine of cores, each given by the threads that Linux lists for it; None for an unknown core."""

    def make(siblings, allowed=None):
        for number, listed in enumerate(siblings):
            if listed is not None:
                folder = tmp_path / f"cpu{number}" / "topology"
                folder.mkdir(parents=True)
                (folder / "thread_siblings_list").write_text(f"{listed}\n")
        monkeypatch.setattr(machine, "_TOPOLOGY", tmp_path)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(allowed or range(len(siblings))))

    return make


@pytest.mark.parametrize(
    ("siblings", "cores"),
    [
        (["0-1", "0-1", "2-3", "2-3"], [[0, 1], [2, 3]]),
        (["0,2", "1,3", "0,2", "1,3"], [[0, 2], [1, 3]]),
        (["0", "1"], [[0], [1]]),
        (["0-1", "0-1", "2", "3"], [[0, 1], [2], [3]]),
        ([None, None, None], [[0], [1], [2]]),
    ],
)
def test_threads_of_one_core_are_found(threads, siblings, cores):
    """Threads that Linux lists together are one core; where nothing is listed, each is a core of its own."""
    threads(siblings)
    assert machine.physical_cores() == cores
    assert machine.available_cores() == len(siblings)


def test_only_threads_that_may_be_used_count(threads):
    """A process that is bound to one thread of a core has that core."""
    threads(["0-1", "0-1", "2-3", "2-3"], allowed=[1, 2, 3])
    assert machine.physical_cores() == [[1], [2, 3]]
    assert machine.available_cores() == 3
