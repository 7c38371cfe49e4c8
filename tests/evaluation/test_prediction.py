import itertools

import numpy as np
import pytest

from tests.markov import FOLLOWERS, make_chain, make_model, write
from textgen.evaluation.prediction import mean_loss
from textgen.generation import LSTMStep


def test_the_loss_of_a_model_that_knows_the_text_is_its_entropy():
    """A character that is one of five, all equally likely, costs ln 5 nats."""
    chain = make_chain(1)
    model = make_model(chain)
    ids = np.array(model.vocabulary.encode(write(chain, 4000)))
    assert mean_loss(model, ids.reshape(40, 100)) == pytest.approx(np.log(FOLLOWERS), abs=0.03)


def test_each_piece_is_read_from_a_zero_state(random_model, any_kind):
    """The loss of several pieces is the mean of their own, computed one step at a time."""
    model = random_model(**any_kind)
    pieces = np.random.default_rng(1).integers(2, model.vocabulary.size, (3, 7))
    expected = []
    for piece in pieces:
        run = LSTMStep(model).start()
        for token, following in itertools.pairwise(piece):
            logits = run(np.array([token]))[0].astype(np.float64)
            expected.append(np.log(np.exp(logits - logits[following]).sum()))
    assert mean_loss(model, pieces) == pytest.approx(np.mean(expected), rel=1e-4)
