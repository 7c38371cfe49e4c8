import itertools

import pytest

from textgen.planning import parts_of_batch
from textgen.planning.cores import relative_speed

CORES = (1, 2, 3, 4, 6, 8, 16, 64)
STREAMS = (1, 2, 4, 7, 8, 12, 16, 31, 32, 64, 128)


@pytest.mark.parametrize(
    ("streams", "parts"),
    [
        (1, [1, 1, 1, 1, 1, 1, 1, 1]),
        (7, [1, 1, 1, 1, 1, 1, 1, 1]),
        (8, [1, 2, 2, 2, 2, 2, 2, 2]),
        (12, [1, 2, 3, 3, 3, 3, 3, 3]),
        (16, [1, 2, 3, 4, 4, 4, 4, 4]),
        (64, [1, 2, 3, 4, 6, 8, 16, 16]),
    ],
)
def test_each_core_gets_a_part_of_at_least_four_rows(streams, parts):
    """The number of parts is that of the cores, unless parts would have fewer than four rows."""
    assert [parts_of_batch(streams, cores, cores) for cores in CORES] == parts


def test_the_second_thread_of_a_core_gets_a_part_of_at_least_eight_rows():
    """Two threads per core make more parts only if each has eight rows, so that a machine of two cores keeps two parts of 16 streams."""
    assert [parts_of_batch(streams, 2, 4) for streams in (8, 16, 24, 32, 64)] == [2, 2, 3, 4, 4]
    assert parts_of_batch(16, 4, 8) == 4


@pytest.mark.parametrize("streams", [16, 17, 24, 31, 32, 64, 500])
def test_two_cores_run_two_parts(streams):
    """This is what was measured, and does not depend on the rule for more cores."""
    assert parts_of_batch(streams, 2, 2) == 2


@pytest.mark.parametrize("streams", STREAMS)
def test_more_cores_are_never_estimated_to_be_slower(streams):
    """The speed never falls with the number of cores, and ends where the parts of the batch are too small."""
    speeds = [relative_speed(streams, cores) for cores in CORES]
    assert speeds == sorted(speeds)
    assert relative_speed(streams, 2) == 1
    assert relative_speed(streams, streams) == relative_speed(streams, 10**6)


def test_one_core_is_as_slow_as_measured():
    """Two cores were 1.54 to 1.71 times as fast as one, in models of 128 to 512 states with 16 to 64 streams."""
    for streams in (16, 50, 64):
        assert 1.54 < 1 / relative_speed(streams, 1) < 1.71


def test_cores_without_a_part_do_not_count():
    """Sixteen streams make four parts, so eight cores are estimated like four; with 64 streams, they are faster."""
    assert relative_speed(16, 8) == relative_speed(16, 4)
    assert relative_speed(64, 8) > relative_speed(64, 4) > 1


@pytest.mark.parametrize(("streams", "cores"), list(itertools.product((16, 64), (1, 2, 4, 8, 16))))
def test_no_speed_is_above_that_of_ideal_cores(streams, cores):
    """N cores are never estimated to be more than N / 2 times as fast as two."""
    assert relative_speed(streams, cores) <= max(1, cores / 2)
