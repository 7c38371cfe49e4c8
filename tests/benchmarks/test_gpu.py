import importlib
from pathlib import Path

import pytest

from textgen.config import TrainingConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def operations_per_token(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gpu").operations_per_token


def config(**settings):
    return TrainingConfig(lstm_state_size=10, embedding_size=7, batch_size=4, unroll_steps=25, **settings)


@pytest.mark.parametrize(
    ("vocabulary_size", "on_gpu", "first_input"),
    [
        (50, False, 7 * 40 / 2),  # 50 rows of the table instead of 100 tokens
        (100, False, 7 * 40),
        (300, False, 7 * 40),  # a table of all tokens would be larger than the windows, so it is not made
        (50, True, 7 * 40),  # cuDNN multiplies every token
    ],
)
def test_the_first_layer_counts_the_rows_that_it_multiplies(operations_per_token, vocabulary_size, on_gpu, first_input):
    """Six operations per weight, with the input product of a folded embedding once per step and not once per token."""
    found = operations_per_token(config(layers=1), vocabulary_size, on_gpu=on_gpu)
    assert found == pytest.approx(6 * (first_input + 10 * 40 + 10 * vocabulary_size))


def test_later_layers_multiply_every_token(operations_per_token):
    """A second layer adds its input kernel and its recurrent kernel, on any device."""
    one, two = (operations_per_token(config(layers=layers), 50, on_gpu=False) for layers in (1, 2))
    assert two - one == pytest.approx(6 * 2 * 10 * 40)
