from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.generation import LSTMStep, layers
from textgen.planning.cells import LAYER_NORM_EPSILON

if TYPE_CHECKING:
    from collections.abc import Callable

    from textgen.generation import ModelFile

Vector = list[float]


def slow_sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def slow_product(vector: Vector, matrix: Any) -> Vector:
    rows, columns = matrix.shape
    return [sum(vector[row] * float(matrix[row, column]) for row in range(rows)) for column in range(columns)]


def slow_norm(vector: Vector, scale: Any) -> Vector:
    mean = sum(vector) / len(vector)
    variance = sum((a - mean) ** 2 for a in vector) / len(vector)
    return [float(s) * (a - mean) / math.sqrt(variance + 1e-5) for s, a in zip(scale, vector, strict=True)]


def slow_logits(model: ModelFile, ids: list[int]) -> Vector:
    """The logits after reading the ids, computed one number at a time in double precision."""
    shape, tensors = model.shape, model.tensors
    size = shape.lstm_state_size
    hs = [[0.0] * (shape.num_proj or size) for _ in range(shape.layers)]
    cs = [[0.0] * size for _ in range(shape.layers)]
    x: Vector = []
    for token_id in ids:
        x = [float(position == token_id) for position in range(model.vocabulary.size)]
        if shape.embedding_size:
            x = slow_product(x, tensors["embedding"])
        for index in range(shape.layers):
            weights = {
                name.removeprefix(f"layers.{index}."): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"layers.{index}.")
            }
            from_input = slow_product(x, weights["kernel"])
            from_state = slow_product(hs[index], weights["recurrent_kernel"])
            if shape.layer_norm:
                from_input = slow_norm(from_input, weights["input_scale"])
                from_state = slow_norm(from_state, weights["recurrent_scale"])
            z = [a + b + float(c) for a, b, c in zip(from_input, from_state, weights["bias"], strict=True)]
            for k in range(size):
                i, f, g, _ = z[k::size]
                cs[index][k] = slow_sigmoid(f) * cs[index][k] + slow_sigmoid(i) * math.tanh(g)
            remembered = cs[index]
            if shape.layer_norm:
                remembered = slow_norm(remembered, weights["state_scale"])
                remembered = [a + float(b) for a, b in zip(remembered, weights["state_offset"], strict=True)]
            said = [slow_sigmoid(z[3 * size + k]) * math.tanh(remembered[k]) for k in range(size)]
            x = hs[index] = slow_product(said, weights["projection"]) if shape.num_proj else said
    return [
        a + float(b) for a, b in zip(slow_product(x, tensors["output.kernel"]), tensors["output.bias"], strict=True)
    ]


@pytest.fixture(params=["table", "embedding"])
def first_layer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test with and without the table of input projections."""
    if request.param == "embedding":
        monkeypatch.setattr(layers, "MOST_TABLE_NUMBERS", 0)


@pytest.mark.usefixtures("first_layer")
def test_every_kind_follows_its_equations(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """After seven tokens the logits equal those of a scalar implementation in double precision."""
    model = make_model(kind)
    run = LSTMStep(model).start()
    read: list[int] = []
    for token_id in [2, 3, 5, 3, 3, 1, 4]:
        read.append(token_id)
        logits = run(np.array([token_id]))
        np.testing.assert_allclose(logits[0], slow_logits(model, read), rtol=1e-4, atol=1e-5)


def test_one_hot_row_is_matrix_product(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """A one-hot model equals a model whose embedding is the identity matrix."""
    one_hot = make_model(plain)
    size = one_hot.vocabulary.size
    identity = {"embedding": np.eye(size, dtype=np.float32)}
    explicit = make_model(plain | {"embedding_size": size}, dict(one_hot.tensors) | identity)
    first, second = LSTMStep(one_hot).start(size), LSTMStep(explicit).start(size)
    np.testing.assert_allclose(first(np.arange(size)), second(np.arange(size)), rtol=1e-6)


@pytest.mark.usefixtures("first_layer")
def test_texts_are_independent(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """A text gets the same logits, `(batch, vocabulary_size)` float32, whether it is read alone or in a batch."""
    model = make_model(kind)
    step = LSTMStep(model)
    texts = np.array([[2, 3, 4], [5, 5, 5], [3, 2, 3]])
    together, alone = step.start(batch=3), [step.start() for _ in texts]
    for column in range(3):
        logits = together(texts[:, column])
        assert logits.shape == (3, model.vocabulary.size)
        assert logits.dtype == np.float32
        for row in range(3):
            expected = alone[row](texts[row, column : column + 1])
            assert expected.shape == (1, model.vocabulary.size)
            np.testing.assert_allclose(logits[row], expected[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 5, 31])
def test_logits_of_several_tokens_are_those_of_single_steps(
    make_model: Callable[..., ModelFile], kind: dict[str, Any], batch: int
) -> None:
    """Tokens that are read in one call have the same logits as in a call each, and leave the same states."""
    network = LSTMStep(make_model(kind))
    texts = np.random.default_rng(1).integers(6, size=(9, batch))
    one, many = network.start(batch), network.start(batch)
    expected = np.array([one(ids).copy() for ids in texts])
    logits = np.concatenate([many.read_with_logits(texts[:4]), many.read_with_logits(texts[4:])])
    assert logits.shape == (9, batch, network.vocabulary_size)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(many.state(batch - 1), one.state(batch - 1))


@pytest.mark.usefixtures("first_layer")
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 13, 16, 19])
def test_a_run_of_another_size_continues_the_first_texts(
    make_model: Callable[..., ModelFile], kind: dict[str, Any], size: int
) -> None:
    """The first texts continue as before, and states of other texts, alone or in a batch, can be restored in the other places."""
    step = LSTMStep(make_model(kind))
    ids = np.random.default_rng(1).integers(2, 6, (3, 19))
    run, whole, other = step.start(batch=5), step.start(batch=19), step.start()
    run(ids[0, :5])
    whole(ids[0])
    run = run.resize(size)
    for text in range(5, size):
        other.restore(0, whole.state(text))
        run.restore(text, other.state(0))
    for position in (1, 2):
        expected = whole(ids[position])[:size]
        found = run(ids[position, :size])
        assert found.shape == (size, step.vocabulary_size)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_weights_are_not_modified(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """Preparing the weights and reading do not modify the model file's tensors or the ids."""
    model = make_model(kind)
    ids = np.array([3])
    arrays = [ids, *model.tensors.values()]
    before = [array.copy() for array in arrays]
    LSTMStep(model).start()(ids)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_extreme_weights_stay_finite(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """Sums in the thousands give finite logits without a warning."""
    model = make_model(kind)
    huge = make_model(kind, {name: 1000 * tensor for name, tensor in model.tensors.items()})
    run = LSTMStep(huge).start()
    for token_id in [2, 3, 4, 5]:
        assert np.isfinite(run(np.array([token_id]))).all()


def test_layer_norm_epsilon() -> None:
    """Training and sampling use the same epsilon as the reference implementation above."""
    assert LAYER_NORM_EPSILON == 1e-5
