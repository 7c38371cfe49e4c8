import numpy as np
import pytest
from keras import ops

from textgen.model.frequencies import Frequencies


def test_the_share_of_something_new_is_that_of_what_came_once():
    """Two of 25 tokens came once, and [UNK] did not come: Turing's estimate is two in 25."""
    assert Frequencies(np.array([0, 0, 1, 1, 10, 13])).unseen_share == pytest.approx(2 / 25)


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ([0, 5, 5], 0.0),  # all occurred; padding never does
        ([0, 0, 1, 1], 0.1),  # four words say nothing of the fifth
        ([0, 0, 500, 500], 0.001),  # nothing came once, and still there is something new at times
        ([0, 0, 0], 0.1),
    ],
)
def test_the_share_at_its_edges(counts, share):
    """It is never more than a tenth, and above 0 wherever there is something that did not occur."""
    assert Frequencies(np.array(counts)).unseen_share == pytest.approx(share)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([0, 0, 0, 4, 4, 1, 1], [1, 1, 4, 4, 1, 1]), ([0, 0, 1, 1, 1, 1, 50], [4, 1, 1, 1, 1, 50])],
)
def test_the_bias_gives_every_token_its_probability(counts, expected):
    """Each token its count, and those that did not come together as many as came once."""
    bias = Frequencies(np.array(counts)).bias()
    shares = np.exp(bias) / np.exp(bias[1:]).sum()
    np.testing.assert_allclose(shares[1:], np.array(expected) / sum(expected), rtol=1e-5)
    assert np.all(np.isfinite(bias))


def test_the_loss_is_the_cross_entropy_with_the_share_set_aside():
    """Written out: targets are the share over the unseen tokens, and the rest where the text says."""
    counts = np.array([0, 0, 0, 3, 1, 9, 12])
    frequencies = Frequencies(counts)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 7)).astype(np.float32)
    targets = rng.integers(3, 7, (2, 3))
    log_shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = np.eye(7)[targets] * (1 - 1 / 25) + np.array([0, 0.5, 0.5, 0, 0, 0, 0]) / 25
    plain = -np.mean(np.take_along_axis(log_shares, targets[..., None], -1))
    found = frequencies.loss(ops.convert_to_tensor(plain), ops.convert_to_tensor(logits))
    assert float(found) == pytest.approx(-np.mean(np.sum(wanted * log_shares, -1)), rel=1e-5)
