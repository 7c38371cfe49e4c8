"""Dropout: that of Keras, from fewer random bits."""

import keras
import numpy as np
import pytest

from textgen.model.dropout import Dropout

NUMBERS = np.random.default_rng(0).normal(size=(37, 5, 101)).astype(np.float32)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_is_scaled(rate):
    """The rate holds within five standard errors, over both halves of each random word, and the mean stays."""
    found = np.array(Dropout(rate, seed=1)(NUMBERS, training=True))
    kept = found != 0
    share = round((1 - rate) * 65536) / 65536
    np.testing.assert_allclose(found[kept], NUMBERS[kept] / share, rtol=1e-6)
    for half in (kept.ravel(), kept.ravel()[::2], kept.ravel()[1::2]):
        assert abs(np.mean(~half) - rate) < 5 * np.sqrt(rate * (1 - rate) / half.size)


def test_numbers_are_dropped_independently():
    """Neighbours, streams and steps tell nothing of each other."""
    layer = Dropout(0.5, seed=2)
    first, second = (np.array(layer(np.ones((64, 64), np.float32), training=True)) - 1 for _ in range(2))
    bound = 5 / 64
    for other in (second, np.roll(first, 1, axis=1), np.roll(first, 2, axis=1), np.roll(first, 1, axis=0)):
        assert abs(np.mean(first * other)) < bound


def test_the_seed_alone_decides():
    """The same seed drops the same, and each call goes on, so that a checkpoint with the seed's state goes on alike."""
    one, other = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    calls = [np.array(one(NUMBERS, training=True)) for _ in range(3)]
    np.testing.assert_array_equal(other(NUMBERS, training=True), calls[0])
    assert not np.array_equal(calls[0], calls[1])
    other.seed_generator.state.assign(one.seed_generator.state)
    np.testing.assert_array_equal(other(NUMBERS, training=True), one(NUMBERS, training=True))


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_the_ends_of_the_scale_drop_hardly_anything_and_nearly_all(rate):
    """Rates beyond what 16 bits can tell are those next to none and to all."""
    kept = np.mean(np.array(Dropout(rate, seed=4)(NUMBERS, training=True)) != 0)
    assert abs(kept - (1 - rate)) < 1e-3


def test_it_rests_outside_training():
    """Validation reads all numbers, unscaled; so does a rate of none in training."""
    np.testing.assert_array_equal(Dropout(0.5)(NUMBERS), NUMBERS)
    np.testing.assert_array_equal(Dropout(0.0)(NUMBERS, training=True), NUMBERS)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_stays(policy):
    """The numbers keep the type that the layers compute in."""
    layer = Dropout(0.5, dtype=policy)
    assert layer(NUMBERS, training=True).dtype == keras.DTypePolicy(policy).compute_dtype
