import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.model.recurrent import LSTM, ONE_HOT_DEVIATION

BATCH, STEPS, WIDTH, UNITS = 3, 7, 5, 4
WINDOWS = 3


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def ones(batch=BATCH):
    return np.ones((batch, 1), np.float32)


def randomise(layer):
    """Gives every weight a value that no initializer would."""
    rng = np.random.default_rng(7)
    layer.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in layer.get_weights()])


def built(**kwargs):
    layer = LSTM(UNITS, **kwargs)
    ids = kwargs.get("vocabulary_size")
    layer.build((BATCH, STEPS) if ids else (BATCH, STEPS, WIDTH), (BATCH, 1))
    randomise(layer)
    return layer


def stock_twin(layer, width):
    """Keras' own LSTM with the same weights, whose order is kernel, recurrent kernel, bias."""
    stock = keras.layers.LSTM(UNITS, return_sequences=True, stateful=True)
    stock.build((BATCH, STEPS, width))
    stock.set_weights([layer.kernel.numpy(), layer.cell.recurrent_kernel.numpy(), layer.bias.numpy()])
    return stock


def test_outputs_and_states_equal_stock_keras_over_several_windows():
    """With the same weights, outputs and carried states are those of keras.layers.LSTM(stateful=True)."""
    layer = built()
    stock = stock_twin(layer, WIDTH)
    for window in range(WINDOWS):
        text = random(BATCH, STEPS, WIDTH) + window
        np.testing.assert_allclose(layer(text, ones()), stock(text), atol=1e-5)
    for ours, theirs in zip(layer.states, stock.states, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_gradients_equal_stock_keras():
    """The written-out gradient of every weight and of the input is the one that TensorFlow derives for stock Keras."""
    layer = built()
    stock = stock_twin(layer, WIDTH)
    text = tf.constant(random(BATCH, STEPS, WIDTH))
    upstream = random(BATCH, STEPS, UNITS)

    def gradients(call, weights):
        with tf.GradientTape() as tape:
            tape.watch(text)
            outputs = call(text)
            loss = tf.reduce_sum(outputs * upstream)
        return tape.gradient(loss, [*weights, text])

    layer(text, ones())
    stock(text)
    ours = gradients(lambda inputs: layer(inputs, ones()), [layer.kernel, layer.cell.recurrent_kernel, layer.bias])
    theirs = gradients(stock, stock.trainable_weights)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_ids_give_what_one_hot_vectors_give():
    """A first layer that looks rows of its kernel up equals stock Keras on one-hot vectors, gradients included."""
    vocabulary = 6
    layer = built(vocabulary_size=vocabulary)
    stock = stock_twin(layer, vocabulary)
    ids = np.random.default_rng(1).integers(vocabulary, size=(BATCH, STEPS)).astype(np.int32)
    with tf.GradientTape(persistent=True) as tape:
        ours = tf.reduce_sum(layer(ids, ones()) ** 2)
        theirs = tf.reduce_sum(stock(tf.one_hot(ids, vocabulary)) ** 2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    dense = tape.gradient(ours, layer.kernel)
    assert isinstance(dense, tf.Tensor), "repeated ids must be summed before the optimizer sees them"
    np.testing.assert_allclose(dense, tape.gradient(theirs, stock.trainable_weights[0]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [{}, {"layer_norm": True}, {"projection_size": 2}])
def test_the_state_goes_on_from_window_to_window(kind):
    """One long window gives what its parts give one after the other, for every kind of cell."""
    long = random(BATCH, 2 * STEPS, WIDTH)
    whole = LSTM(UNITS, **kind)
    whole.build(long.shape, (BATCH, 1))
    parts = built(**kind)
    whole.set_weights(parts.get_weights())
    expected = whole(long, ones())
    found = [parts(long[:, :STEPS], ones()), parts(long[:, STEPS:], ones())]
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [{}, {"layer_norm": True}, {"projection_size": 2}])
def test_keep_resets_the_streams_whose_text_does_not_go_on(kind):
    """Where keep is 0 a stream begins as in a fresh layer; the others go on."""
    layer, fresh = built(**kind), built(**kind)
    text = random(BATCH, STEPS, WIDTH)
    first = layer(text, ones())
    keep = np.array([[0], [1], [0]], np.float32)
    second = layer(text, keep)
    expected = fresh(text, ones())
    np.testing.assert_allclose(second[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(second[2], expected[2], atol=1e-6)
    assert np.abs(second[1] - first[1]).max() > 1e-3


def normalised(values):
    return (values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + 1e-5)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_layer_norm_equals_the_formula_of_the_paper():
    """The layer-normalised cell is equations 20 to 22 of Ba et al. (2016), written out here in NumPy."""
    layer = built(layer_norm=True)
    weights = {weight.name: np.float64(weight.numpy()) for weight in layer.weights}
    text = random(BATCH, STEPS, WIDTH)
    h, c = np.zeros((BATCH, UNITS)), np.zeros((BATCH, UNITS))
    expected = []
    for time in range(STEPS):
        z = (
            weights["input_scale"] * normalised(text[:, time] @ weights["kernel"])
            + weights["recurrent_scale"] * normalised(h @ weights["recurrent_kernel"])
            + weights["bias"]
        )
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(weights["state_scale"] * normalised(c) + weights["state_offset"])
        expected.append(h)
    np.testing.assert_allclose(layer(text, ones()), np.stack(expected, axis=1), atol=1e-5)


def test_projection_equals_the_formula_of_the_paper():
    """The projected cell feeds P times its output back, after Sak et al. (2014), written out here in NumPy."""
    layer = built(projection_size=2)
    weights = {weight.name: np.float64(weight.numpy()) for weight in layer.weights}
    text = random(BATCH, STEPS, WIDTH)
    h, c = np.zeros((BATCH, 2)), np.zeros((BATCH, UNITS))
    expected = []
    for time in range(STEPS):
        z = text[:, time] @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"]
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ weights["projection"]
        expected.append(h)
    np.testing.assert_allclose(layer(text, ones()), np.stack(expected, axis=1), atol=1e-5)


def test_first_weights_are_as_keras_chooses_them_but_for_one_hot_input():
    """The forget gate's bias starts at 1, the others at 0; a one-hot kernel has the scale of one input."""
    layer = LSTM(64, vocabulary_size=50)
    layer.build((BATCH, STEPS), (BATCH, 1))
    bias = layer.bias.numpy().reshape(4, 64)
    np.testing.assert_array_equal(bias, np.array([0, 1, 0, 0])[:, None] * np.ones((4, 64)))
    assert layer.kernel.numpy().std() == pytest.approx(ONE_HOT_DEVIATION, rel=0.05)


def test_a_layer_is_made_again_from_its_config():
    """get_config holds every argument of the constructor."""
    layer = LSTM(UNITS, vocabulary_size=9, projection_size=3, name="first")
    again = LSTM.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
