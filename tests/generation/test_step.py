from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.generation import LSTMStep
from textgen.generation.step import LAYER_NORM_EPSILON, sigmoid

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
    """The logits after reading the ids, one number at a time, in double precision."""
    shape, tensors = model.shape, model.tensors
    size = shape["lstm_state_size"]
    hs = [[0.0] * (shape["num_proj"] or size) for _ in range(shape["layers"])]
    cs = [[0.0] * size for _ in range(shape["layers"])]
    x: Vector = []
    for token_id in ids:
        x = [float(position == token_id) for position in range(model.vocabulary.size)]
        if shape["embedding_size"]:
            x = slow_product(x, tensors["embedding"])
        for index in range(shape["layers"]):
            weights = {
                name.removeprefix(f"layers.{index}."): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"layers.{index}.")
            }
            from_input = slow_product(x, weights["kernel"])
            from_state = slow_product(hs[index], weights["recurrent_kernel"])
            if shape["layer_norm"]:
                from_input = slow_norm(from_input, weights["input_scale"])
                from_state = slow_norm(from_state, weights["recurrent_scale"])
            z = [a + b + float(c) for a, b, c in zip(from_input, from_state, weights["bias"], strict=True)]
            for k in range(size):
                i, f, g, _ = z[k::size]
                cs[index][k] = slow_sigmoid(f) * cs[index][k] + slow_sigmoid(i) * math.tanh(g)
            remembered = cs[index]
            if shape["layer_norm"]:
                remembered = slow_norm(remembered, weights["state_scale"])
                remembered = [a + float(b) for a, b in zip(remembered, weights["state_offset"], strict=True)]
            said = [slow_sigmoid(z[3 * size + k]) * math.tanh(remembered[k]) for k in range(size)]
            x = hs[index] = slow_product(said, weights["projection"]) if shape["num_proj"] else said
    return [
        a + float(b) for a, b in zip(slow_product(x, tensors["output.kernel"]), tensors["output.bias"], strict=True)
    ]


def test_every_kind_follows_its_equations(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """Seven tokens give the logits of an implementation that adds up one number at a time in double precision."""
    model = make_model(kind)
    step = LSTMStep(model)
    state = step.initial_state()
    read: list[int] = []
    for token_id in [2, 3, 5, 3, 3, 1, 4]:
        read.append(token_id)
        logits, state = step(np.array([token_id]), state)
        np.testing.assert_allclose(logits[0], slow_logits(model, read), rtol=1e-4, atol=1e-5)


def test_one_hot_row_is_matrix_product(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """A one-hot model says what a model says whose embedding is the identity matrix."""
    one_hot = make_model(plain)
    size = one_hot.vocabulary.size
    identity = {"embedding": np.eye(size, dtype=np.float32)}
    explicit = make_model(plain | {"embedding_size": size}, dict(one_hot.tensors) | identity)
    first, second = LSTMStep(one_hot), LSTMStep(explicit)
    ids = np.arange(size)
    np.testing.assert_allclose(
        first(ids, first.initial_state(size))[0], second(ids, second.initial_state(size))[0], rtol=1e-6
    )


def test_shapes_and_types(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """Logits are (batch, vocabulary size), h is (batch, num_proj or size), c is (batch, size), and all are float32."""
    model = make_model(kind)
    step = LSTMStep(model)
    state = step.initial_state(batch=3)
    logits, after = step(np.array([2, 3, 4]), state)
    assert logits.shape == (3, model.vocabulary.size)
    assert logits.dtype == np.float32
    assert len(state) == len(after) == kind["layers"]
    size = kind["lstm_state_size"]
    for h, c in [*state, *after]:
        assert (h.shape, c.shape) == ((3, kind["num_proj"] or size), (3, size))
        assert h.dtype == c.dtype == np.float32


def test_rows_are_independent(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """A text gets the same logits whether it is read alone or beside others."""
    step = LSTMStep(make_model(kind))
    texts = np.array([[2, 3, 4], [5, 5, 5], [3, 2, 3]])
    together = step.initial_state(batch=3)
    alone = [step.initial_state() for _ in texts]
    for column in range(3):
        logits, together = step(texts[:, column], together)
        for row in range(3):
            expected, alone[row] = step(texts[row, column : column + 1], alone[row])
            np.testing.assert_allclose(logits[row], expected[0], rtol=1e-5, atol=1e-6)


def test_input_is_not_modified(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """A step leaves ids, state and weights alone, so that going on from an old state gives the same again."""
    model = make_model(kind)
    step = LSTMStep(model)
    ids = np.array([3])
    _, state = step(ids, step.initial_state())
    arrays = [ids, *model.tensors.values(), *(array for pair in state for array in pair)]
    before = [array.copy() for array in arrays]
    first, _ = step(ids, state)
    second, _ = step(ids, state)
    np.testing.assert_array_equal(first, second)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_extreme_weights_stay_finite(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """Sums in the thousands neither warn (a warning fails a test here) nor give anything but numbers."""
    model = make_model(kind)
    huge = make_model(kind, {name: 1000 * tensor for name, tensor in model.tensors.items()})
    step = LSTMStep(huge)
    state = step.initial_state()
    for token_id in [2, 3, 4, 5]:
        logits, state = step(np.array([token_id]), state)
        assert np.isfinite(logits).all()


@pytest.mark.parametrize(("z", "expected"), [(-1000, 0), (0, 0.5), (1000, 1)])
def test_sigmoid_far_out(z: float, expected: float) -> None:
    """The sigmoid of an extreme number is its limit, without a warning."""
    assert sigmoid(np.array([z], dtype=np.float32))[0] == expected


def test_sigmoid_everywhere() -> None:
    """By way of tanh, the sigmoid is that of its definition."""
    z = np.linspace(-20, 20, 401, dtype=np.float32)
    np.testing.assert_allclose(sigmoid(z), [slow_sigmoid(float(number)) for number in z], atol=1e-7)


def test_layer_norm_epsilon() -> None:
    """The constant that training must share has the value that stands in the reference above."""
    assert LAYER_NORM_EPSILON == 1e-5
