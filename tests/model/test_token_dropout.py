"""Dropping the vectors of whole tokens for one step of training."""

import keras
import numpy as np
import pytest

from textgen.config import TrainingConfig
from textgen.model import build_model
from textgen.training.state import capture_model

VOCABULARY = 30
TOKENS = np.random.default_rng(0).integers(2, VOCABULARY, size=(4, 50))

KINDS = {
    "one-hot": {},
    "embedded": {"embedding_size": 5},
    "projected": {"num_proj": 3, "embedding_size": 5},
    "a window shorter than the vocabulary": {"embedding_size": 5, "batch_size": 1, "unroll_steps": 20},
}


def model_of(embedding_dropout, kind, **more):
    keras.utils.set_random_seed(1)
    sizes = {"lstm_state_size": 6, "batch_size": 4, "unroll_steps": 50}
    config = TrainingConfig(embedding_dropout=embedding_dropout, dropout=0.0, **{**sizes, **kind, **more})
    return build_model(config, VOCABULARY), TOKENS[: config.batch_size, : config.unroll_steps]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_step_drops_whole_tokens(kind):
    """The outputs of a step are those of a model whose vectors of some tokens are zero, and whose others are larger."""
    dropping, tokens = model_of(0.3, kind)
    plain, _ = model_of(0.0, kind)
    plain.set_weights(dropping.get_weights())
    layer = dropping.get_layer("lstm_0")
    seed = layer.token_dropout.seed_generator.state.numpy()
    kept = np.array(layer._kept_tokens())
    assert 0 < np.count_nonzero(kept) < VOCABULARY
    layer.token_dropout.seed_generator.state.assign(seed)
    vectors = plain.get_layer("lstm_0").token_vectors
    vectors.assign(vectors * kept)
    np.testing.assert_allclose(dropping(tokens, training=True), plain(tokens, training=True), atol=1e-5)
    again = dropping(tokens, training=True)
    dropping.reset_states()
    assert not np.allclose(again, dropping(tokens, training=True))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_nothing_is_dropped_outside_training(kind):
    """Outside training, the outputs are those of a model without this dropout."""
    dropping, tokens = model_of(0.3, kind)
    plain, _ = model_of(0.0, kind)
    plain.set_weights(dropping.get_weights())
    np.testing.assert_array_equal(dropping(tokens), plain(tokens))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_checkpoint_of_a_model_without_it_lacks_only_its_random_numbers(kind):
    """All other variables keep their names, so a job can resume with this dropout."""
    before, after = (set(capture_model(model_of(rate, kind)[0])) for rate in (0.0, 0.3))
    assert before < after
    (more,) = after - before
    assert more.endswith("/seed_generator_state")
