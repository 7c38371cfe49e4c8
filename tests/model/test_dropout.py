"""Dropout is Keras' own, from fewer random bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.model.dropout import Dropout

VALUES = np.random.default_rng(0).normal(size=(37, 5, 101)).astype(np.float32)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_values_are_dropped_at_the_rate_and_the_rest_is_scaled(rate):
    """The rate is right within five standard errors, for both halves of each random word, and the rest is scaled up."""
    found = np.array(Dropout(rate, seed=1)(VALUES, training=True))
    kept = found != 0
    share = round((1 - rate) * 65536) / 65536
    np.testing.assert_allclose(found[kept], VALUES[kept] / share, rtol=1e-6)
    for half in (kept.ravel(), kept.ravel()[::2], kept.ravel()[1::2]):
        assert abs(np.mean(~half) - rate) < 5 * np.sqrt(rate * (1 - rate) / half.size)


def test_numbers_are_dropped_independently():
    """Neighbours, streams and steps are uncorrelated."""
    layer = Dropout(0.5, seed=2)
    first, second = (np.array(layer(np.ones((64, 64), np.float32), training=True)) - 1 for _ in range(2))
    bound = 5 / 64
    for other in (second, np.roll(first, 1, axis=1), np.roll(first, 2, axis=1), np.roll(first, 1, axis=0)):
        assert abs(np.mean(first * other)) < bound


def test_the_seed_alone_decides():
    """The same seed drops the same values, each call advances it, and a checkpoint of its state continues the sequence."""
    one, other = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    calls = [np.array(one(VALUES, training=True)) for _ in range(3)]
    np.testing.assert_array_equal(other(VALUES, training=True), calls[0])
    assert not np.array_equal(calls[0], calls[1])
    other.seed_generator.state.assign(one.seed_generator.state)
    np.testing.assert_array_equal(other(VALUES, training=True), one(VALUES, training=True))


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_extreme_rates_drop_hardly_anything_or_nearly_everything(rate):
    """Rates too close to 0 or 1 for 16 bits become the closest possible ones."""
    kept = np.mean(np.array(Dropout(rate, seed=4)(VALUES, training=True)) != 0)
    assert abs(kept - (1 - rate)) < 1e-3


def test_nothing_is_dropped_outside_training():
    """Outside training, and at a rate of 0, the values are unchanged."""
    np.testing.assert_array_equal(Dropout(0.5)(VALUES), VALUES)
    np.testing.assert_array_equal(Dropout(0.0)(VALUES, training=True), VALUES)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_kept(policy):
    """The values keep the dtype that the layer computes in."""
    layer = Dropout(0.5, dtype=policy)
    assert layer(VALUES, training=True).dtype == keras.DTypePolicy(policy).compute_dtype


def test_the_rate_changes_without_tracing_again():
    """A traced function drops at the new rate, as a layer made with that rate does."""
    layer, other = Dropout(0.5, seed=5), Dropout(0.2, seed=5)
    traces = []

    @tf.function(autograph=False)
    def run(values):
        traces.append(values)
        return layer(values, training=True)

    assert abs(np.mean(run(VALUES).numpy() == 0) - 0.5) < 0.02
    other(VALUES, training=True)
    layer.set_rate(0.2)
    np.testing.assert_array_equal(run(VALUES), other(VALUES, training=True))
    assert len(traces) == 1


def test_the_rate_is_no_weight():
    """A checkpoint and a model file have the seed generator alone."""
    layer = Dropout(0.5)
    layer(VALUES, training=True)
    assert [variable.name for variable in layer.variables] == ["seed_generator_state"]
