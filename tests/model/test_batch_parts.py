import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.model import build_model
from textgen.model.recurrent import FastLSTM, HoistedLoop
from textgen.model.tensorflow_ops import Loop

BATCH, STEPS, TOKENS = 5, 7, 11
LOOPS = [Loop(1, compiled=False), Loop(3, compiled=True)]
KINDS = [
    {"layers": 2},
    {"embedding_size": 5},
    {"layer_norm": True, "embedding_size": 5},
    {"num_proj": 3},
    {"layers": 2, "dropout": 0.5},
]


def make_model(**kind):
    keras.utils.set_random_seed(1)  # for dropout
    config = TrainingConfig(lstm_state_size=6, batch_size=BATCH, unroll_steps=STEPS, **{"dropout": 0.0, **kind})
    model = build_model(config, TOKENS, counts=np.arange(TOKENS))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False)
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in model.get_weights()])
    return model


def train(model):
    """Makes two steps, the second of which resets the states of two streams, and returns the metrics."""
    ids = np.random.default_rng(0).integers(TOKENS, size=(2, BATCH, STEPS + 1)).astype(np.int32)
    keep = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]], np.float32)[..., None]
    windows = tf.data.Dataset.from_tensor_slices(({"tokens": ids[..., :-1], "keep": keep}, ids[..., 1:]))
    model.next_rates = [1.0, 1.0]
    model.make_train_function()
    return {name: float(value) for name, value in model.train_function(iter(windows)).items()}


def states(model):
    return [state.numpy() for layer in model.layers for state in getattr(layer, "states", None) or ()]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", KINDS)
def test_training_in_parts_equals_training_with_keras(monkeypatch, kind, loop):
    """In one part or three, loss, gradient, weights and states are those of Keras' own layers on the whole batch, with the same dropout."""
    ours, known = make_model(**kind), make_model(**kind)
    with monkeypatch.context() as patch:
        for layer in (FastLSTM, HoistedLoop):
            patch.setattr(layer, "runs_hoisted", lambda *_: False)
        expected = train(known)
    monkeypatch.setattr("textgen.model.batch_parts.choose_loop", lambda *_: loop)
    assert train(ours) == pytest.approx(expected, rel=1e-4)
    for found, wanted in zip([*ours.get_weights(), *states(ours)], [*known.get_weights(), *states(known)], strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("parts", [1, 3])
def test_half_precision_trains_in_parts(monkeypatch, parts):
    """With mixed_bfloat16, losses are close to those in float32, and weights and states remain float32."""
    monkeypatch.setattr("textgen.model.batch_parts.choose_loop", lambda *_: Loop(parts, compiled=True))
    half, single = make_model(precision="mixed_bfloat16", layers=2), make_model(layers=2)
    assert train(half)["loss"] == pytest.approx(train(single)["loss"], rel=0.02)
    assert {value.dtype for value in [*half.get_weights(), *states(half)]} == {np.dtype("float32")}
