"""Adds a cell in the places that ARCHITECTURE.md lists, and no others: a minimal gated unit after Zhou et al. (2016)."""

import re
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from keras import ops

from textgen.config import TrainingConfig, option
from textgen.errors import FormatError
from textgen.generation import LSTMStep, TextGenerator, layers, read_model
from textgen.model import build_model, language_model
from textgen.model.recurrent import HoistedLoop
from textgen.model.token_lstm import ReadsTokens
from textgen.planning import Plan, cells
from textgen.planning.model_shape import EMBEDDING
from textgen.portable import export_model
from textgen.training.conversion import take_weights
from textgen.version import __version__

TEXTS, STEPS = 3, 12


@dataclass(frozen=True)
class NewConfig(TrainingConfig):
    """`config/training.py`: the setting that selects the cell."""

    cell: str = option(
        "lstm", group="model", choices=("lstm", "mgu"), job_part=lambda name: name, help="Use this cell."
    )


class MGU(cells.Cell):
    """`planning/cells.py`: its tensors, states and equations."""

    name = "MGU"

    def states(self, shape):
        return {"h": shape.lstm_state_size}

    def tensors(self, shape, input_size):
        gates = 2 * shape.lstm_state_size
        return {"kernel": (input_size, gates), "recurrent_kernel": (shape.lstm_state_size, gates), "bias": (gates,)}

    def step(self, run, x, *states):
        [h] = states
        x_f, x_n = run.split(run.product(x, "kernel", "bias"), 2)
        h_f, h_n = run.split(run.product(h, "recurrent_kernel"), 2)
        f = run.sigmoid(run.add(x_f, h_f))
        n = run.tanh(run.add(x_n, run.multiply(f, h_n)))
        return (run.add(h, run.multiply(f, run.subtract(n, h))),)


class RunningMGU(layers.Cell):
    """`generation/layers.py`: its step in NumPy."""

    def __init__(self, layer, x, h, whole):
        del whole
        self._tensors, self._x, self._h = layer.tensors, x, h

    def __call__(self, given):
        if given is None:
            given = (self._x.T @ self._tensors["kernel"] + self._tensors["bias"]).T
        (x_f, x_n), (h_f, h_n) = np.split(given, 2), np.split(self._tensors["recurrent_kernel"].T @ self._h, 2)
        f = 1 / (1 + np.exp(-x_f - h_f))
        self._h += f * (np.tanh(x_n + f * h_n) - self._h)


class MGULayer(layers.Layer):
    """`generation/layers.py`: its weights in NumPy."""

    cell = RunningMGU

    def __init__(self, tensors, *, reads_table):
        del reads_table
        self.tensors, self.output_size = tensors, len(tensors["recurrent_kernel"])

    @staticmethod
    def project(rows, tensors):
        return rows + tensors["bias"]


class KerasCell(keras.layers.Layer):  # type: ignore[misc]
    """`model/mgu.py`: the layers for training."""

    def __init__(self, units, kernel_initializer, **kwargs):
        super().__init__(**kwargs)
        self.units = self.output_size = self.state_size = units
        self._kernel_initializer = kernel_initializer

    def build(self, inputs_shape):
        gates = 2 * self.units
        self.kernel = self.add_weight(
            shape=(inputs_shape[-1], gates), initializer=self._kernel_initializer, name="kernel"
        )
        self.recurrent_kernel = self.add_weight(shape=(self.units, gates), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(gates,), initializer="zeros", name="bias")


class FastMGU(HoistedLoop):
    def __init__(self, units, *, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(KerasCell(units, kernel_initializer, name="cell"), **kwargs)

    def finish_input(self, rows):
        return rows + self.weight(self.cell.bias)

    def prepare_loop(self, *, compiled):
        del compiled

        def run(from_input, h):
            outputs = []
            for step in range(from_input.shape[0]):
                x_f, x_n = ops.split(from_input[step], 2, axis=-1)
                h_f, h_n = ops.split(ops.matmul(h, self.weight(self.cell.recurrent_kernel)), 2, axis=-1)
                f = ops.sigmoid(x_f + h_f)
                h += f * (ops.tanh(x_n + f * h_n) - h)
                outputs.append(h)
            return ops.stack(outputs), h

        return run


class TokenMGU(ReadsTokens, FastMGU):
    """The first layer."""


@pytest.fixture(autouse=True)
def _new_cell(run, monkeypatch):
    monkeypatch.setitem(cells.CELLS, "mgu", MGU())
    monkeypatch.setitem(layers.LAYERS, "mgu", MGULayer)
    monkeypatch.setitem(language_model.LAYERS, "mgu", (TokenMGU, FastMGU))  # `model/language_model.py`
    monkeypatch.setitem(run.__globals__, "TrainingConfig", NewConfig)


def check_logits(config, file):
    """Checks that NumPy and Keras compute the same logits with the weights of a file."""
    texts = np.random.default_rng(1).integers(file.vocabulary.size, size=(TEXTS, STEPS)).astype(np.int32)
    model = build_model(config, file.vocabulary.size, streams=TEXTS, window=STEPS)
    take_weights(model, file)
    found = np.stack([logits.copy() for logits in LSTMStep(file).read(texts)], axis=1)
    np.testing.assert_allclose(found, model(texts).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", [{}, {"embedding_size": 5}])
def test_a_new_cell_trains_and_samples(kind, run, tmp_path, monkeypatch):
    """A model of the new cell is trained, resumed, written, sampled from and exported. A program without the cell refuses it in one line."""
    shape = {"cell": "mgu", "layers": 2, "lstm_state_size": 8, **kind}
    run(**shape)
    _, job, text = run(max_steps=8, **shape)
    assert "Resuming from step 6" in text
    assert "the checkpoint has no" not in text
    file, config = read_model(job.model), NewConfig(**shape)
    assert (file.shape, file.shape.cell) == (Plan(config, file.vocabulary.size).shape, "mgu")
    assert (EMBEDDING in file.tensors) == bool(kind)
    check_logits(config, file)
    assert len("".join(TextGenerator(file).generate("The", length=30, seed=1))) == 30
    for name, path in (("onnx", tmp_path / "model.onnx"), ("keras", tmp_path / "model.keras")):
        assert export_model(file, name, path).difference < 1e-5
    monkeypatch.setattr(layers, "MOST_TABLE_NUMBERS", 0)  # so that the first layer reads embedded tokens
    check_logits(config, file)

    monkeypatch.delitem(cells.CELLS, "mgu")
    newer = re.escape(f"its cell is 'mgu', so it was made by a newer textgen than {__version__}; upgrade textgen")
    with pytest.raises(FormatError, match=f"^cannot use {job.model}: {newer}$"):
        read_model(job.model)


def test_the_plan_describes_a_new_cell():
    """The plan counts its weights and states, and names it."""
    plan = Plan(NewConfig(cell="mgu", layers=2, lstm_state_size=8, optimizer="sgd", batch_size=3), 11)
    parameters = (11 + 8 + 1) * 16 + (8 + 8 + 1) * 16 + (8 + 1) * 11
    assert plan.describe_model() == f"2 MGU layers of 8 states, one-hot input, {parameters} parameters"
    assert plan.checkpoint_bytes == 4 * (parameters + 3 * 2 * 8)
