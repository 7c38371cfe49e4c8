import numpy as np
import pytest
from keras import ops

from textgen.model.frequencies import Frequencies


def of_words(counts):
    return Frequencies(np.array(counts), open_vocabulary=True)


def of_characters(counts):
    return Frequencies(np.array(counts), open_vocabulary=False)


def test_the_share_of_unseen_tokens_is_that_of_tokens_seen_once():
    """Two of 25 tokens occur once, and [UNK] does not occur: Turing's estimate is two in 25."""
    assert of_words([0, 0, 1, 1, 10, 13]).unseen_share == pytest.approx(2 / 25)


@pytest.mark.parametrize("of_text", [of_words, of_characters])
def test_the_tokens_that_occur_are_marked(of_text):
    """Occurring once is enough; padding, `[UNK]` and a token of another part of the text are not seen unless they occur."""
    assert of_text([0, 0, 1, 2, 0, 99]).seen.tolist() == [0, 0, 1, 1, 0, 1]
    assert of_text([0, 3, 1]).seen.tolist() == [0, 1, 1]
    assert of_text([0, 0, 0]).seen.tolist() == [0, 0, 0]
    assert of_text([0, 1, 5]).seen.dtype == np.float32


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ([0, 5, 5], 0.0),  # all occur; padding never does
        ([0, 0, 1, 1], 0.1),  # too few words for an estimate
        ([0, 0, 500, 500], 0.001),  # no word occurs once, and yet new words do come at times
        ([0, 0, 0], 0.1),
    ],
)
def test_the_share_at_its_edges(counts, share):
    """It is never more than a tenth, and above 0 wherever a token is unseen."""
    assert of_words(counts).unseen_share == pytest.approx(share)


@pytest.mark.parametrize("counts", [[0, 0, 500, 500], [0, 0, 1, 1, 40], [0, 3, 7, 1]])
def test_a_closed_vocabulary_that_occurs_whole_costs_nothing(counts):
    """Nothing is left to `[UNK]`, even if a token occurs once: the loss is returned unchanged."""
    frequencies = of_characters(counts)
    loss = ops.convert_to_tensor(1.5)
    assert frequencies.unseen_share == 0
    assert frequencies.loss(loss, None) is loss
    assert np.all(np.isfinite(frequencies.bias()))


def test_a_closed_vocabulary_leaves_a_share_to_its_own_unseen_tokens():
    """A character of the validation text alone keeps its probability, and `[UNK]` gets none of it."""
    frequencies = of_characters([0, 0, 0, 1, 99])
    assert frequencies.unseen_share == pytest.approx(1 / 100)
    logits = np.zeros((1, 1, 5), np.float32)
    logits[0, 0, 1:3] = -30, 1  # [UNK] has no weight, and the unseen token more than each of the others
    found = frequencies.loss(ops.convert_to_tensor(0.0), ops.convert_to_tensor(logits))
    assert float(found) == pytest.approx((np.log(3 + np.e) - 1) / 100, rel=1e-5)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([0, 0, 0, 4, 4, 1, 1], [1, 1, 4, 4, 1, 1]), ([0, 0, 1, 1, 1, 1, 50], [4, 1, 1, 1, 1, 50])],
)
def test_the_bias_gives_every_token_its_probability(counts, expected):
    """Each token has its count; the unseen ones together have the number of tokens that occur once."""
    bias = of_words(counts).bias()
    shares = np.exp(bias) / np.exp(bias[1:]).sum()
    np.testing.assert_allclose(shares[1:], np.array(expected) / sum(expected), rtol=1e-5)
    assert np.all(np.isfinite(bias))


def test_the_loss_is_the_cross_entropy_with_the_share_set_aside():
    """The targets give the share to the unseen tokens, and the rest to the true token."""
    frequencies = of_words([0, 0, 0, 3, 1, 9, 12])
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 7)).astype(np.float32)
    targets = rng.integers(3, 7, (2, 3))
    log_shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = np.eye(7)[targets] * (1 - 1 / 25) + np.array([0, 0.5, 0.5, 0, 0, 0, 0]) / 25
    plain = -np.mean(np.take_along_axis(log_shares, targets[..., None], -1))
    found = frequencies.loss(ops.convert_to_tensor(plain), ops.convert_to_tensor(logits))
    assert float(found) == pytest.approx(-np.mean(np.sum(wanted * log_shares, -1)), rel=1e-5)
