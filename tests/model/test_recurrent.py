import itertools
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.model import tensorflow_ops
from textgen.model.recurrent import CellLSTM, FastLSTM
from textgen.model.tensorflow_ops import Loop, choose_loop, usable_cores
from textgen.model.token_lstm import EMBEDDING_DEVIATION, ONE_HOT_DEVIATION, TokenCellLSTM, TokenLSTM

BATCH, STEPS, WIDTH, UNITS = 9, 7, 6, 4
VOCABULARY = 9
WINDOWS = 3
STATEFUL = {"return_sequences": True, "stateful": True}
CELLS = [{}, {"projection_size": 3}]
LOOPS = [Loop(parts, compiled) for parts, compiled in itertools.product((1, 2, 3, 4, 8), (False, True))]


@pytest.fixture(autouse=True)
def run_loops_as(monkeypatch):
    """Returns a function that fixes how loops run on any machine and for any shape."""

    def fix(loop):
        monkeypatch.setattr("textgen.model.recurrent.choose_loop", lambda *_: loop)

    return fix


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def randomise(layer):
    """Sets every weight to values unlike those of any initializer."""
    rng = np.random.default_rng(7)
    layer.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in layer.get_weights()])
    return layer


def built(layer, shape=(BATCH, STEPS, WIDTH)):
    layer.build(shape)
    return randomise(layer)


def assert_equal(ours, theirs, inputs, targets):
    """Asserts that outputs, states and gradients of two layers are equal over several windows.

    Args:
        ours: the layer under test.
        theirs: a layer that is known to be right.
        inputs: for each window, the inputs of ours and of theirs.
        targets: pairs of variables whose gradients must be equal.
    """
    upstream = random(BATCH, STEPS, ours.compute_output_shape((BATCH, STEPS, WIDTH))[-1])
    for our_input, their_input in inputs:
        with tf.GradientTape(persistent=True) as tape:
            watched = [tf.constant(our_input), tf.constant(their_input)]
            tape.watch([tensor for tensor in watched if tensor.dtype.is_floating])
            found, expected = ours(watched[0]), theirs(watched[1])
            losses = [tf.reduce_sum(output * upstream) for output in (found, expected)]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        for one, other in targets:
            mine, known = (
                tape.gradient(loss, variable.value) for loss, variable in zip(losses, (one, other), strict=True)
            )
            assert isinstance(mine, tf.Tensor), (
                "the rows of a repeated id must be summed before the optimizer sees them"
            )
            known = tf.convert_to_tensor(known)
            np.testing.assert_allclose(mine, known, rtol=1e-4, atol=1e-4 * np.abs(known).max())
        if watched[0].dtype.is_floating:
            mine, known = (tape.gradient(loss, tensor) for loss, tensor in zip(losses, watched, strict=True))
            np.testing.assert_allclose(mine, known, rtol=1e-4, atol=1e-5)
    for mine, known in zip(ours.states, theirs.states, strict=True):
        np.testing.assert_allclose(mine, known, atol=1e-5)


def vectors():
    return [(window, window) for window in (random(BATCH, STEPS, WIDTH) + number for number in range(WINDOWS))]


def tokens():
    return np.random.default_rng(1).integers(VOCABULARY, size=(BATCH, STEPS)).astype(np.int32)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_fast_layer_equals_stock_keras(run_loops_as, loop):
    """With the same weights, outputs, states and gradients equal those of keras.layers.LSTM, in one to eight parts, compiled or not."""
    run_loops_as(loop)
    ours, stock = built(FastLSTM(UNITS, **STATEFUL)), built(keras.layers.LSTM(UNITS, **STATEFUL))
    assert_equal(ours, stock, vectors(), list(zip(ours.trainable_weights, stock.trainable_weights, strict=True)))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", CELLS)
def test_layers_of_other_cells_equal_keras_rnn_of_the_cell(run_loops_as, kind, loop):
    """Outputs, states and gradients equal those of keras.layers.RNN, which runs the cell step by step."""
    run_loops_as(loop)
    ours = built(CellLSTM(UNITS, **kind, **STATEFUL))
    known = keras.layers.RNN(CellLSTM(UNITS, **kind).cell, **STATEFUL)
    known.build((BATCH, STEPS, WIDTH))
    known.set_weights(ours.get_weights())
    assert_equal(ours, known, vectors(), list(zip(ours.trainable_weights, known.trainable_weights, strict=True)))


@pytest.mark.parametrize("vocabulary", [VOCABULARY, 100])
@pytest.mark.parametrize("loop", LOOPS[2:4])
def test_one_hot_tokens_equal_stock_keras_on_one_hot_vectors(run_loops_as, vocabulary, loop):
    """Kernel rows are looked up, in a table or one by one, with the gradients of one-hot vectors."""
    run_loops_as(loop)
    ours = built(TokenLSTM(UNITS, vocabulary_size=vocabulary, **STATEFUL), (BATCH, STEPS))
    stock = keras.layers.LSTM(UNITS, **STATEFUL)
    stock.build((BATCH, STEPS, vocabulary))
    stock.set_weights(ours.get_weights())
    inputs = [(tokens(), keras.ops.one_hot(tokens(), vocabulary).numpy())] * WINDOWS
    assert_equal(ours, stock, inputs, list(zip(ours.trainable_weights, stock.trainable_weights, strict=True)))


@pytest.mark.parametrize("vocabulary", [VOCABULARY, 100])
@pytest.mark.parametrize("kind", [None, *CELLS])
def test_embedded_tokens_equal_the_layer_over_an_embedding(kind, vocabulary):
    """Whether or not the embedding is folded into the kernel, outputs and gradients equal those of two layers."""
    options = {"vocabulary_size": vocabulary, "embedding_size": WIDTH, **STATEFUL}
    ours = TokenLSTM(UNITS, **options) if kind is None else TokenCellLSTM(UNITS, **kind, **options)
    ours = built(ours, (BATCH, STEPS))
    embedding = keras.layers.Embedding(vocabulary, WIDTH, weights=[ours.embedding.numpy()])
    layer = (
        keras.layers.LSTM(UNITS, **STATEFUL)
        if kind is None
        else keras.layers.RNN(CellLSTM(UNITS, **kind).cell, **STATEFUL)
    )
    layer.build((BATCH, STEPS, WIDTH))
    layer.set_weights(ours.get_weights()[1:])
    known = keras.Sequential([embedding, layer])
    known.states = layer.states
    pairs = zip(ours.trainable_weights, [embedding.embeddings, *layer.trainable_weights], strict=True)
    embedding(tokens())
    assert_equal(ours, known, [(tokens(), tokens())] * WINDOWS, list(pairs))


@pytest.mark.parametrize("kind", [None, *CELLS])
def test_the_state_is_carried_from_window_to_window(kind):
    """One long window gives the same outputs as its two halves in turn, for every kind of cell."""
    make = (lambda: FastLSTM(UNITS, **STATEFUL)) if kind is None else (lambda: CellLSTM(UNITS, **kind, **STATEFUL))
    long = random(BATCH, 2 * STEPS, WIDTH)
    whole, parts = built(make(), long.shape), built(make())
    expected = whole(long)
    found = [parts(long[:, :STEPS]), parts(long[:, STEPS:])]
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"go_backwards": True},
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"use_bias": False},
        {"unroll": True},
        {"return_state": True},
        {"return_sequences": False},
    ],
)
def test_the_fast_layer_accepts_every_argument_of_keras(arguments):
    """It can replace keras.layers.LSTM: arguments without a fast implementation give Keras' results."""
    ours, stock = built(FastLSTM(UNITS, **arguments)), built(keras.layers.LSTM(UNITS, **arguments))
    text = random(BATCH, STEPS, WIDTH)
    for found, expected in zip(keras.tree.flatten(ours(text)), keras.tree.flatten(stock(text)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert FastLSTM.from_config(stock.get_config()).get_config() == {**stock.get_config()}


def test_a_mask_is_obeyed():
    """Masked steps are skipped, as in Keras."""
    ours, stock = built(FastLSTM(UNITS)), built(keras.layers.LSTM(UNITS))
    text, mask = random(BATCH, STEPS, WIDTH), np.arange(STEPS) < np.arange(2, 2 + BATCH)[:, None]
    np.testing.assert_allclose(ours(text, mask=mask), stock(text, mask=mask), atol=1e-5)


@pytest.mark.parametrize("kind", [None, *CELLS])
def test_half_precision_is_close_to_single(kind):
    """With mixed_float16, every kind of layer gives its float32 results to two hundredths."""
    make = FastLSTM if kind is None else CellLSTM
    half, single = (
        built(make(UNITS, dtype=policy, **(kind or {}), **STATEFUL)) for policy in ("mixed_float16", "float32")
    )
    text = random(BATCH, STEPS, WIDTH)
    found, expected = half(text), single(text)
    assert found.dtype == tf.float16
    np.testing.assert_allclose(np.float32(found), expected, atol=0.02)


def normalised(values):
    return (values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + 1e-5)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def named(layer):
    return {weight.name: np.float64(weight.numpy()) for weight in layer.weights}


def test_layer_norm_equals_the_formula_of_the_paper():
    """The layer-normalised cell computes equations 20 to 22 of Ba et al. (2016), written here in NumPy."""
    layer = built(CellLSTM(UNITS, **STATEFUL))
    weights = named(layer)
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
    np.testing.assert_allclose(layer(text), np.stack(expected, axis=1), atol=1e-5)


def test_projection_equals_the_formula_of_the_paper():
    """The projected cell feeds back its output times P, after Sak et al. (2014), written here in NumPy."""
    layer = built(CellLSTM(UNITS, projection_size=2, **STATEFUL))
    weights = named(layer)
    text = random(BATCH, STEPS, WIDTH)
    h, c = np.zeros((BATCH, 2)), np.zeros((BATCH, UNITS))
    expected = []
    for time in range(STEPS):
        z = text[:, time] @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"]
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ weights["projection"]
        expected.append(h)
    np.testing.assert_allclose(layer(text), np.stack(expected, axis=1), atol=1e-5)


def test_initial_weights_are_those_of_keras_except_for_tokens():
    """The forget bias starts at 1, other biases at 0. One-hot kernels and embeddings have standard deviations of their own."""
    for layer in (TokenLSTM(64, vocabulary_size=50), TokenCellLSTM(64, vocabulary_size=50)):
        layer.build((BATCH, STEPS))
        bias = layer.cell.bias.numpy().reshape(4, 64)
        np.testing.assert_array_equal(bias, np.array([0, 1, 0, 0])[:, None] * np.ones((4, 64)))
        kernel = layer.cell.kernel.numpy()
        assert kernel.std() == pytest.approx(ONE_HOT_DEVIATION, rel=0.05)
    embedded = TokenLSTM(64, vocabulary_size=50, embedding_size=30)
    embedded.build((BATCH, STEPS))
    assert embedded.embedding.numpy().std() == pytest.approx(EMBEDDING_DEVIATION, rel=0.1)


@pytest.mark.parametrize(
    "layer",
    [
        FastLSTM(UNITS, name="second", **STATEFUL),
        TokenLSTM(UNITS, vocabulary_size=9, name="first", **STATEFUL),
        TokenLSTM(UNITS, vocabulary_size=9, embedding_size=3),
        CellLSTM(UNITS, projection_size=3),
        TokenCellLSTM(UNITS, vocabulary_size=9, embedding_size=2),
    ],
)
def test_a_layer_can_be_rebuilt_from_its_config(layer):
    """get_config contains every argument of the constructor."""
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    assert "cell" not in config


@pytest.fixture
def run_on(monkeypatch):
    """Returns a function that sets the cores of the machine, the threads of each, and the threads that TensorFlow's setting fixes."""

    def run(cores, *, threads_each=1, fixed=0):
        monkeypatch.setattr(tensorflow_ops, "physical_cores", lambda: [[0] * threads_each] * cores)
        monkeypatch.setattr(tensorflow_ops, "available_cores", lambda: cores * threads_each)
        monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: fixed)
        monkeypatch.setattr(tensorflow_ops, "_has_compiler", lambda: True)

    return run


def test_each_core_runs_one_part(run_on):
    """There are as many parts as cores, but fewer if a part would have fewer than four streams."""
    run_on(4)
    assert [choose_loop(384, size).parts for size in (1, 7, 8, 12, 15, 16, 500)] == [1, 1, 2, 3, 3, 4, 4]


def test_two_threads_of_a_core_do_not_count_as_two_cores(run_on):
    """A core that runs two threads gets a second part only if each part has eight streams."""
    run_on(2, threads_each=2)
    assert [choose_loop(384, size).parts for size in (8, 16, 31, 32, 64)] == [2, 2, 3, 4, 4]


def test_a_fixed_number_of_threads_decides_on_any_machine(run_on):
    """A job that is resumed with the number of threads that it started with is split as before, whatever the machine."""
    for cores, threads_each in [(1, 1), (2, 2), (16, 1)]:
        run_on(cores, threads_each=threads_each, fixed=3)
        assert [choose_loop(384, size).parts for size in (4, 8, 16, 64)] == [1, 2, 3, 3]


def test_replicas_on_virtual_devices_share_the_cores(run_on, monkeypatch):
    """If a CPU is split into two devices, each uses half of the cores."""
    run_on(4)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["", ""] if kind == "CPU" else [])
    assert [choose_loop(384, size).parts for size in (8, 16, 64)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("units", "streams", "compiled"), [(512, 31, True), (511, 64, True), (640, 16, False), (512, 32, False)]
)
def test_small_states_are_compiled(run_on, units, streams, compiled):
    """XLA compiles the loop below 640 states, or below 512 if a part has many streams."""
    run_on(2)
    assert choose_loop(units, streams).compiled == compiled


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind a process to cores")
def test_only_usable_cores_count(monkeypatch):
    """A process that is bound to one core has one usable core."""
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_gpu_runs_the_whole_batch(monkeypatch):
    """On a GPU the batch is not split, and the loop is TensorFlow's."""
    monkeypatch.setattr(tensorflow_ops, "has_gpu", lambda: True)
    assert choose_loop(384, 500) == Loop(1, compiled=False)


@pytest.mark.parametrize("arguments", [{"go_backwards": True}, {"unroll": True}])
@pytest.mark.parametrize("kind", CELLS)
def test_other_cells_accept_the_arguments_of_keras_rnn(kind, arguments):
    """Arguments without a hoisted loop give the results of keras.layers.RNN."""
    ours = built(CellLSTM(UNITS, **kind, **arguments))
    known = keras.layers.RNN(CellLSTM(UNITS, **kind).cell, **arguments)
    known.build((BATCH, STEPS, WIDTH))
    known.set_weights(ours.get_weights())
    text = random(BATCH, STEPS, WIDTH)
    np.testing.assert_allclose(ours(text), known(text), atol=1e-5)


def test_without_a_compiler_the_loops_run_uncompiled(monkeypatch):
    """If TensorFlow cannot compile for the CPU, its own loop is chosen."""
    monkeypatch.setattr(tensorflow_ops, "_has_compiler", lambda: False)
    assert not choose_loop(64, 16).compiled


def test_a_gpu_leaves_the_plain_cell_to_keras(monkeypatch):
    """On a GPU, Keras' own code runs, which uses cuDNN."""
    monkeypatch.setattr("textgen.model.recurrent.has_gpu", lambda: True)
    layer = built(FastLSTM(UNITS, **STATEFUL))
    assert not layer.runs_hoisted(random(BATCH, STEPS, WIDTH), None)
    monkeypatch.setattr("textgen.model.recurrent.run_in_parts", None)
    layer(random(BATCH, STEPS, WIDTH))
