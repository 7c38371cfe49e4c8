import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.generation import LSTMStep
from textgen.model import build_model
from textgen.planning import Plan
from textgen.training.capture import capture_model
from textgen.training.conversion import to_model_file

KINDS = [
    {},
    {"layers": 2},
    {"embedding_size": 5},
    {"layer_norm": True, "layers": 2},
    {"num_proj": 3, "layers": 2},
    {"num_proj": 3, "embedding_size": 5},
    {"layer_norm": True, "embedding_size": 5},
]
TOKENS = 11


def small(**kind):
    return TrainingConfig(lstm_state_size=6, batch_size=2, unroll_steps=5, dropout=0.0, **kind)


def inputs(config, seed=0):
    ids = np.random.default_rng(seed).integers(TOKENS, size=(config.batch_size, config.unroll_steps + 1))
    return ids[:, :-1].astype(np.int32), ids[:, 1:].astype(np.int32)


def learn(model, tokens, targets, steps=1):
    """Makes steps on the same window through the model's own train function, and returns the metrics after the last."""
    keep = np.ones((len(tokens), 1), np.float32)
    windows = tf.data.Dataset.from_tensors(({"tokens": tokens, "keep": keep}, targets)).repeat()
    model.next_rates = [float(model.optimizer.learning_rate)] * steps
    model.make_train_function()
    return {name: float(value) for name, value in model.train_function(iter(windows)).items()}


def compiled(config):
    model = build_model(config, TOKENS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_weight(kind):
    """One step of plain gradient descent moves every weight of every kind of model."""
    config = small(**kind)
    model = compiled(config)
    before = model.get_weights()
    windows, targets = inputs(config)
    learn(model, windows, targets, steps=2)  # with a zero state, the recurrent kernel's first gradient is 0
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert np.abs(new - old).max() > 0, weight.path


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan_counts_the_weights(kind):
    """The plan's number of parameters is the model's."""
    config = small(**kind)
    assert build_model(config, TOKENS).count_params() == Plan(config, TOKENS).shape.parameters


@pytest.mark.parametrize("kind", KINDS)
def test_the_numpy_step_gives_the_same_logits(kind):
    """For every kind of model, the exported weights give the Keras model's logits to 1e-4 over a thousand tokens."""
    config = TrainingConfig(lstm_state_size=6, batch_size=1, unroll_steps=100, dropout=0.5, **kind)
    model = build_model(config, TOKENS)
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(scale=0.7, size=weight.shape) for weight in model.get_weights()])
    vocabulary = Vocabulary(("", "[UNK]", *"abcdefghi"), make_tokenizer("char"))
    run = LSTMStep(to_model_file(capture_model(model), config, vocabulary, data_sha256="", step=0, scores=None)).start()
    for _ in range(10):
        ids = rng.integers(TOKENS, size=(1, 100)).astype(np.int32)
        expected = model.predict_on_batch(ids)
        for time in range(100):
            np.testing.assert_allclose(run(ids[:, time]), expected[:, time], atol=1e-4)


def test_the_logits_of_a_long_stream_are_those_of_its_windows():
    """The state is carried over: a text gives the same logits in one window as in ten."""
    whole, parts = small(layers=2), small(layers=2)
    long = build_model(whole, TOKENS, streams=2, window=50)
    short = build_model(parts, TOKENS, streams=2, window=5)
    short.set_weights(long.get_weights())
    ids = np.random.default_rng(5).integers(TOKENS, size=(2, 50)).astype(np.int32)
    expected = long.predict_on_batch(ids)
    found = [short.predict_on_batch(ids[:, begin : begin + 5]) for begin in range(0, 50, 5)]
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-5)


def test_no_tensor_before_the_logits_has_a_vocabulary_axis():
    """One-hot input is looked up, so no tensor before the logits is (batch, window, vocabulary)."""
    config = TrainingConfig(lstm_state_size=3, batch_size=2, unroll_steps=5)
    model = build_model(config, 1000)
    shapes = [layer.output.shape for layer in model.layers if layer.name != "output"]
    assert all(1000 not in shape for shape in shapes)


def test_half_precision_keeps_float32_logits():
    """With mixed_float16, weights and logits are float32, and the layers compute in float16."""
    config = small(precision="mixed_float16")
    model = build_model(config, TOKENS)
    assert model.output.dtype == "float32"
    assert model.get_layer("lstm_0").compute_dtype == "float16"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    windows, _ = inputs(config)
    assert np.isfinite(model.predict_on_batch(windows)).all()


def test_the_gradient_norm_is_measured_before_clipping():
    """The reported norm is that of the whole gradient, for any clipping norm."""
    config = small()
    model = compiled(config)
    clipped = build_model(config, TOKENS)
    clipped.set_weights(model.get_weights())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    clipped.compile(keras.optimizers.SGD(1.0, global_clipnorm=1e-6), loss, jit_compile=False)
    windows, targets = inputs(config)
    learn(model, windows, targets)
    before = clipped.get_weights()
    logs = learn(clipped, windows, targets)
    moved = np.sqrt(sum(np.sum((new - old) ** 2) for new, old in zip(clipped.get_weights(), before, strict=True)))
    assert moved < 1e-5
    assert logs["gradient_norm"] > 1e-2


def test_streams_whose_text_does_not_continue_start_at_zero():
    """If keep is 0, a stream's states become zero. Those of the others are unchanged."""
    config = small(layers=2, num_proj=3)
    model = build_model(config, TOKENS)
    model.predict_on_batch(inputs(config)[0])

    def states():
        return [state.numpy().copy() for layer in model.layers for state in getattr(layer, "states", None) or ()]

    before = states()
    model.keep_states(np.array([[0], [1]], np.float32))
    after = states()
    assert len(after) == 4
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new[0], 0)
        np.testing.assert_array_equal(new[1], old[1])
        assert np.abs(old).min() > 0


def test_steps_in_one_call_equal_steps_in_separate_calls():
    """Weights are the same to the last bit for any number of steps per call, each with its own learning rate."""
    config = small()
    at_once, one_by_one = compiled(config), compiled(config)
    one_by_one.set_weights(at_once.get_weights())
    keep = np.ones((2, 1), np.float32)
    batches = [inputs(config, seed) for seed in range(4)]
    rates = [1.0, 0.5, 0.25, 0.125]

    def windows():
        for tokens, targets in batches:
            yield {"tokens": tokens, "keep": keep}, targets

    signature = (
        {"tokens": tf.TensorSpec((2, 5), tf.int32), "keep": tf.TensorSpec((2, 1))},
        tf.TensorSpec((2, 5), tf.int32),
    )
    for model, calls in ((at_once, [rates]), (one_by_one, [[rate] for rate in rates])):
        iterator = iter(tf.data.Dataset.from_generator(windows, output_signature=signature))
        model.make_train_function()
        for model.next_rates in calls:
            logs = model.train_function(iterator)
        assert float(logs["loss"]) > 0
    for ours, theirs in zip(at_once.get_weights(), one_by_one.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_model_predicts_tokens_as_often_as_they_occur():
    """With the counts of the text, the output bias alone gives each token's frequency."""
    counts = np.array([0, 0, *range(100, 1000, 100)])
    bias = build_model(small(), TOKENS, counts=counts).get_layer("output").bias
    shares = keras.ops.convert_to_numpy(keras.ops.softmax(bias))
    np.testing.assert_allclose(shares[2:], counts[2:] / counts.sum(), rtol=1e-3)


@pytest.mark.parametrize("embedding_size", [None, 5])
def test_the_vectors_of_unseen_tokens_start_at_zero(embedding_size):
    """The vector of a token that does not occur is zero; all others are random."""
    counts = np.array([0, 3, 0, 1, 2, *[5] * 6])
    layer = build_model(small(embedding_size=embedding_size), TOKENS, counts=counts).get_layer("lstm_0")
    is_zero = np.all(keras.ops.convert_to_numpy(layer.token_vectors) == 0, axis=1)
    np.testing.assert_array_equal(is_zero, counts == 0)


def test_unseen_tokens_keep_their_probability():
    """Trained on twenty words of which two occur once, the model leaves a tenth to the unseen ones, but nothing to padding."""
    counts = np.array([0, 0, 0, 0, 0, 1, 1, 6, 6, 6, 0])
    keras.utils.set_random_seed(2)  # some initial weights take longer to learn this
    model = build_model(small(language_model="word"), TOKENS, counts=counts)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    targets = np.array([[5, 7, 8, 9, 7], [6, 8, 9, 7, 8]], np.int32)
    for _ in range(40):
        model.reset_metrics()
        logs = learn(model, targets, targets, steps=10)
    shares = keras.ops.convert_to_numpy(keras.ops.softmax(model.predict_on_batch(targets)))
    unseen = shares[:, :, [1, 2, 3, 4, 10]]
    np.testing.assert_allclose(unseen, 0.02, rtol=0.2)
    assert shares[:, :, 0].max() < 1e-3
    assert logs["loss"] == pytest.approx(-np.log(0.9), rel=0.2)  # the metric contains only the targets' nats


@pytest.mark.parametrize(("language_model", "share"), [("char", 0.0), ("word", 1 / 41)])
def test_only_words_expect_tokens_that_the_vocabulary_lacks(language_model, share):
    """If all tokens occur, a character model leaves nothing to `[UNK]`; a word model does, as other texts have other words."""
    counts = np.array([0, 0, 1, *[5] * 8])
    config = small(language_model=language_model)
    frequencies = build_model(config, TOKENS, counts=counts).frequencies
    assert frequencies is not None
    assert frequencies.unseen_share == pytest.approx(share)
