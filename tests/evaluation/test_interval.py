import numpy as np
import pytest

from textgen.evaluation.interval import BlockSums


def interval(nats, characters=None, piece=5000):
    blocks = BlockSums()
    characters = np.ones(len(nats), np.int64) if characters is None else characters
    for start in range(0, len(nats), piece):
        blocks.add(nats[start : start + piece], characters[start : start + piece])
    return blocks.interval()


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def mean_width(make):
    """Returns the mean width of the intervals of ten texts."""
    found = [interval(make()) for _ in range(10)]
    return np.mean([high - low for low, high, _ in found])


def test_the_interval_of_independent_tokens_is_that_of_the_normal_distribution(rng):
    """If tokens are independent, the interval is the mean plus or minus 1.96 standard errors."""
    width = mean_width(lambda: rng.exponential(2.0, 100_000))
    assert width == pytest.approx(2 * 1.96 / np.sqrt(100_000), rel=0.15)


def test_passages_that_are_difficult_throughout_make_it_wider(rng):
    """If 100 neighbouring tokens are alike, there is less to learn from them, so the interval is ten times as wide."""
    width = mean_width(lambda: np.repeat(rng.exponential(2.0, 1000), 100))
    assert width == pytest.approx(2 * 1.96 / np.sqrt(1000), rel=0.15)


def test_long_tokens_weigh_as_many_characters(rng):
    """The interval is that of nats per character: tokens whose nats grow with their length do not make it wider."""
    lengths = rng.integers(1, 20, 100_000)
    found = interval(0.5 * lengths, lengths)
    assert (found.low, found.high) == pytest.approx((1, 1), abs=1e-9)


def test_the_interval_does_not_depend_on_the_pieces(rng):
    """Read in pieces of any size, the same text has exactly the same interval, every time."""
    nats = rng.exponential(2.0, 30_000)
    assert interval(nats, piece=7) == interval(nats, piece=30_000) == interval(nats, piece=1000)


@pytest.mark.parametrize(("tokens", "length"), [(20 * 64, 64), (40 * 64 - 1, 64), (40 * 64, 128), (100_000, 4096)])
def test_a_longer_text_has_longer_blocks(rng, tokens, length):
    """There are at least 20 blocks, and fewer than 40, so the memory does not depend on the length of the text."""
    assert interval(rng.exponential(2.0, tokens)).block_length == length


def test_a_text_without_20_blocks_has_no_interval(rng):
    """Nothing is claimed about a text of a few lines."""
    assert interval(rng.exponential(2.0, 20 * 64 - 1)) is None
    assert interval(np.zeros(0)) is None
