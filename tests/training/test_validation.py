from itertools import pairwise

import numpy as np
import pytest

from textgen.config import TrainingConfig
from textgen.training.attempt import compile_model
from textgen.training.validator import Validator

pytestmark = pytest.mark.compiled

TOKENS = 7


def oracle(model, ids):
    """Returns the nats of a text that is read as one stream, token by token."""
    from textgen.corpus import Vocabulary, make_tokenizer
    from textgen.generation import LSTMStep
    from textgen.training.capture import capture_model
    from textgen.training.conversion import to_model_file

    config = TrainingConfig(lstm_state_size=5, layers=2)
    vocabulary = Vocabulary(("", "[UNK]", *"abcde"), make_tokenizer("char"))
    run = LSTMStep(to_model_file(capture_model(model), config, vocabulary, data_sha256="", step=0, scores=None)).start()
    nats = 0.0
    for token, target in pairwise(ids):
        exact = run(np.array([token]))[0].astype(np.float64)
        nats += np.log(np.exp(exact - exact.max()).sum()) + exact.max() - exact[target]
    return nats


@pytest.fixture
def model():
    model = compile_model(TrainingConfig(lstm_state_size=5, layers=2, batch_size=3, unroll_steps=4), TOKENS)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("length", [2, 5, 6, 23])
def test_one_stream_gives_the_nats_of_reading_a_token_at_a_time(model, length):
    """A short text is one stream with an exact loss: every token after the first is scored with the state of all before."""
    ids = np.random.default_rng(length).integers(2, TOKENS, length).astype(np.uint8)
    config = TrainingConfig(lstm_state_size=5, layers=2, batch_size=1, unroll_steps=4)
    scores = Validator(config, TOKENS, ids, characters=length)(model)
    assert scores.tokens == length - 1
    assert scores.nats == pytest.approx(oracle(model, ids), rel=1e-5)


def test_many_streams_give_the_score_of_one(model):
    """In parallel streams with a warm-up, a long text's loss equals that of one stream to 0.001."""
    fresh = compile_model(TrainingConfig(lstm_state_size=5, layers=2), TOKENS)
    ids = np.random.default_rng(9).integers(2, TOKENS, 6000).astype(np.uint8)
    config = TrainingConfig(lstm_state_size=5, layers=2)
    scores = Validator(config, TOKENS, ids, characters=6000)(fresh)
    assert scores.tokens == 5999
    assert scores.loss == pytest.approx(oracle(fresh, ids) / 5999, abs=1e-3)


def test_validation_leaves_the_training_states_alone_and_repeats(model):
    """The training streams' states are untouched, and a second pass gives the same scores."""
    model.predict_on_batch(np.full((3, 4), 3, np.int32))
    before = [state.numpy() for state in model.get_layer("lstm_0").states]
    ids = np.random.default_rng(9).integers(2, TOKENS, 40).astype(np.uint8)
    validator = Validator(TrainingConfig(lstm_state_size=5, layers=2, batch_size=3, unroll_steps=4), TOKENS, ids, 40)
    assert validator(model) == validator(model)
    for old, new in zip(before, model.get_layer("lstm_0").states, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_the_share_of_unknown_tokens_is_counted(model):
    """The scores include the share of [UNK] in the text."""
    ids = np.array([2, 1, 3, 1, 2, 3, 2, 2], np.uint8)
    config = TrainingConfig(lstm_state_size=5, layers=2, batch_size=1, unroll_steps=4)
    assert Validator(config, TOKENS, ids, characters=16)(model).unknown_share == 0.25
