"""Small models of every kind learn from texts while they are evaluated on them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.corpus.sections import open_whole
from textgen.errors import DivergedError, UsageError
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.model_measures import measure_model
from textgen.generation import LSTMStep
from textgen.model import build_model
from textgen.planning.model_shape import shape_values
from textgen.training import dynamic_evaluation
from textgen.training.conversion import take_weights
from textgen.training.dynamic_evaluation import SEGMENT, Learner, evaluate_dynamically

LETTERS = "abcdefghij"


@pytest.fixture(autouse=True)
def few_gradients(monkeypatch):
    """Measures the gradients of a few segments only, because tiny models need no more."""
    monkeypatch.setattr(dynamic_evaluation, "_WRITTEN_SEGMENTS", 16)


@pytest.fixture
def open_text(tmp_path):
    """A function that opens a text for a model."""

    def open_it(content, model):
        path = tmp_path / "text.txt"
        path.write_text(content)
        return count_text(open_whole([path]), model.vocabulary)

    return open_it


def random_letters(length, seed=1):
    return "".join(np.random.default_rng(seed).choice(list(LETTERS), length))


def test_without_a_learning_rate_it_is_the_usual_score(random_model, any_kind, open_text):
    """A model of any kind that does not learn has the scores of the usual evaluation."""
    model = random_model(**any_kind)
    text = open_text(random_letters(5 * SEGMENT + 7), model)
    usual = measure_model(LSTMStep(model), text).scores
    found = evaluate_dynamically(model, text, rate=0.0)
    assert found.loss == pytest.approx(usual.loss, abs=1e-4)
    assert dataclasses.replace(found, nats=usual.nats) == usual


@pytest.mark.parametrize("length", [2, SEGMENT, SEGMENT + 1, SEGMENT + 2])
def test_every_token_after_the_first_is_scored(random_model, open_text, length):
    """The last segment may have any length."""
    model = random_model()
    text = open_text(random_letters(length), model)
    found = evaluate_dynamically(model, text, rate=0.0)
    assert found.tokens == length - 1
    assert found.loss == pytest.approx(measure_model(LSTMStep(model), text).scores.loss, abs=1e-4)


def test_a_repeated_passage_gets_likelier(random_model, any_kind, open_text):
    """A strange passage that the text repeats is learned, and the model itself does not change."""
    model = random_model(**any_kind)
    before = {name: tensor.copy() for name, tensor in model.tensors.items()}
    text = open_text(random_letters(3 * SEGMENT) * 100, model)
    usual = measure_model(LSTMStep(model), text).scores.loss
    assert evaluate_dynamically(model, text, rate=0.01).loss < 0.8 * usual
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(tensor, before[name])


_RATE, _DECAY = 0.02, 0.5
"""Large enough that two segments show the effect of both."""


def test_each_segment_is_scored_before_it_is_learned(random_model, any_kind, monkeypatch):
    """The nats of three segments, of which the last one is shorter, are those of the equations, written out with Keras and NumPy."""
    monkeypatch.setattr(dynamic_evaluation, "DECAY", _DECAY)
    model = random_model(**any_kind)
    rng = np.random.default_rng(2)
    measured, ids = (rng.integers(2, model.vocabulary.size, 2 * SEGMENT + extra) for extra in (1, 8))
    learner = Learner(model, _RATE)
    for first in (0, SEGMENT):
        learner.measure(measured[first : first + SEGMENT + 1])
    learner.start()
    found = [learner.read(ids[first : first + SEGMENT + 1]) for first in (0, SEGMENT, 2 * SEGMENT)]
    for ours, expected in zip(found, _expected_nats(model, measured, ids), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def _expected_nats(model, measured, ids):
    """Returns the nats of each segment of a text."""
    config = TrainingConfig(**shape_values(model.shape), dropout=0.0)

    def score(network, tokens):
        with tf.GradientTape() as tape:
            logits = network(tokens[None, :-1])
            nats = keras.losses.sparse_categorical_crossentropy(tokens[None, 1:], logits, from_logits=True)[0]
            loss = keras.ops.mean(nats)
        return nats.numpy(), [each.numpy() for each in tape.gradient(loss, network.trainable_variables)]

    def cut(tokens):
        return [tokens[first : first + SEGMENT + 1] for first in range(0, len(tokens) - 1, SEGMENT)]

    def network_for(length):
        network = build_model(config, model.vocabulary.size, streams=1, window=length)
        take_weights(network, model)
        return network

    network = network_for(SEGMENT)
    gradients = [score(network, segment)[1] for segment in cut(measured)]
    rms = [np.sqrt(np.mean(np.square(each), axis=0)) for each in zip(*gradients, strict=True)]
    scale = np.sqrt(np.mean(np.square(np.concatenate([each.ravel() for each in rms]))))
    network.reset_states()
    weights = [variable.numpy() for variable in network.trainable_variables]
    trained = [each.copy() for each in weights]
    *whole, last = cut(ids)
    for segment in whole:
        nats, gradients = score(network, segment)
        yield nats
        for variable, weight, start, own, gradient in zip(
            network.trainable_variables, weights, trained, rms, gradients, strict=True
        ):
            weight += np.minimum(_DECAY * own / scale, 1) * (start - weight) - _RATE * gradient / (own + scale)  # noqa: PLW2901 - in place
            variable.assign(weight)
    shorter = network_for(len(last) - 1)
    shorter.set_weights(network.get_weights())
    for ours, theirs in zip(shorter.layers, network.layers, strict=True):
        for state, other in zip(
            getattr(ours, "states", None) or [], getattr(theirs, "states", None) or [], strict=True
        ):
            state.assign(other)
    yield score(shorter, last)[0]


def test_an_earlier_token_decides_what_is_learned_and_a_later_one_does_not(random_model):
    """A token changes the scores of the segments after its own, and of those after it in its own, and no other."""
    model = random_model()
    rng = np.random.default_rng(3)
    ids = rng.integers(2, model.vocabulary.size, 4 * SEGMENT + 1)
    changed = ids.copy()
    place = 2 * SEGMENT + 5
    changed[place] = 2 + (ids[place] - 1) % (model.vocabulary.size - 2)

    def nats(tokens):
        learner = Learner(model)
        learner.measure(ids[: SEGMENT + 1])
        learner.start()
        return np.concatenate(
            [learner.read(tokens[first : first + SEGMENT + 1]) for first in range(0, 4 * SEGMENT, SEGMENT)]
        )

    is_same = np.isclose(nats(ids), nats(changed), rtol=1e-5)
    assert is_same[: place - 1].all()
    assert not is_same[place - 1 : place + 1].any()
    assert not is_same[3 * SEGMENT :].all()


def test_progress_is_shown(random_model, open_text):
    """While it works, it tells what it does, and the share that is done never falls."""
    model = random_model()
    calls = []
    evaluate_dynamically(model, open_text(random_letters(10 * SEGMENT), model), lambda *call: calls.append(call))
    doings = list(dict.fromkeys(doing for doing, _ in calls))
    assert doings == ["measuring gradients", "reading and learning"]
    for doing in doings:
        shares = [share for name, share in calls if name == doing]
        assert shares == sorted(shares)
        assert shares[0] == 0 < shares[-1] < 1


def test_every_evaluation_gives_the_same_score(random_model, open_text):
    """A second evaluation starts from the weights of the model again."""
    model = random_model()
    text = open_text(random_letters(50 * SEGMENT), model)
    first, second = (evaluate_dynamically(model, text) for _ in range(2))
    assert first.nats == pytest.approx(second.nats, rel=1e-6)


def test_a_model_that_cannot_be_trained_is_refused(random_model, open_text):
    """A model file may be layer-normalised and projected, but there is no such layer for training."""
    model = random_model(layer_norm=True, num_proj=3)
    with pytest.raises(UsageError, match="layer-normalised and projected"):
        evaluate_dynamically(model, open_text(random_letters(50), model))


def test_divergence_is_an_error(random_model, open_text):
    """A score that is no number is never returned."""
    model = random_model()
    with pytest.raises(DivergedError, match="diverged while it learned"):
        evaluate_dynamically(model, open_text(random_letters(5 * SEGMENT), model), rate=1e38)
