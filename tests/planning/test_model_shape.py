import dataclasses

import pytest

from textgen.config import TrainingConfig
from textgen.planning import SHAPE_SETTINGS, ModelShape, shape_values
from textgen.planning.cells import CELLS
from textgen.planning.model_shape import tensors_of_layer

KINDS = {
    "lstm": {},
    "lstm-norm": {"layer_norm": True},
    "lstm-proj": {"num_proj": 3},
    "lstm-norm-proj": {"layer_norm": True, "num_proj": 3},
}


def make(**fields):
    return ModelShape(**{"layers": 2, "lstm_state_size": 5, "vocabulary_size": 7, **fields})


def test_the_tensors_of_everything_at_once():
    """With every part in use, the names and shapes are those of the module's docstring."""
    norm = {"input_scale": (20,), "recurrent_scale": (20,), "state_scale": (5,), "state_offset": (5,)}
    layer = {"recurrent_kernel": (2, 20), "bias": (20,), "projection": (5, 2), **norm}
    assert make(embedding_size=3, num_proj=2, layer_norm=True).tensors == {
        "embedding": (7, 3),
        "layers.0.kernel": (3, 20),
        **{f"layers.0.{name}": size for name, size in layer.items()},
        "layers.1.kernel": (2, 20),
        **{f"layers.1.{name}": size for name, size in layer.items()},
        "output.kernel": (2, 7),
        "output.bias": (7,),
    }


def test_the_tensors_of_a_plain_model():
    """Without the optional parts, the first layer reads one-hot tokens and every later one the layer below."""
    assert make().tensors == {
        "layers.0.kernel": (7, 20),
        "layers.0.recurrent_kernel": (5, 20),
        "layers.0.bias": (20,),
        "layers.1.kernel": (5, 20),
        "layers.1.recurrent_kernel": (5, 20),
        "layers.1.bias": (20,),
        "output.kernel": (5, 7),
        "output.bias": (7,),
    }


def test_the_tensors_of_a_layer():
    """A layer's tensors are found by its number, the second one of eleven too."""
    tensors = {f"layers.{index}.kernel": index for index in range(12)} | {"output.kernel": -1}
    assert tensors_of_layer(tensors, 1) == {"kernel": 1}
    assert tensors_of_layer(tensors, 11) == {"kernel": 11}


def test_the_parameters_of_a_small_model_by_hand():
    """Eleven one-hot tokens lead to four gates of two cells, with recurrence and bias, and two cells to eleven outputs."""
    shape = ModelShape(layers=1, lstm_state_size=2, vocabulary_size=11)
    assert shape.parameters == (11 + 2 + 1) * 4 * 2 + (2 + 1) * 11 == 145
    assert shape.weight_bytes == 4 * 145
    assert dataclasses.replace(shape, embedding_size=3).parameters == 11 * 3 + (3 + 2 + 1) * 4 * 2 + (2 + 1) * 11


def test_names_and_widths_of_the_states():
    """Each layer has a state h of its output's width and a state c of its cell state's width."""
    assert make(lstm_state_size=7).states == {"h_0": 7, "c_0": 7, "h_1": 7, "c_1": 7}
    assert make(lstm_state_size=7, num_proj=3).states == {"h_0": 3, "c_0": 7, "h_1": 3, "c_1": 7}
    assert list(make(layers=12).states)[-2:] == list(make(layers=12).layer_states(11)) == ["h_11", "c_11"]
    assert make(num_proj=3).state_bytes == 4 * 2 * (3 + 5)


def test_the_tensor_with_a_row_for_each_token():
    """It is the embedding or, without one, the first kernel."""
    for shape in (make(), make(embedding_size=3)):
        assert shape.tensors[shape.token_vectors][0] == 7


@pytest.mark.parametrize(("kind", "fields"), KINDS.items())
def test_every_kind_has_a_cell(kind, fields):
    """The kind names the cell and its variants, and every cell can be reached."""
    assert make(**fields).kind == kind
    assert KINDS.keys() == CELLS.keys()


def test_a_shape_is_made_from_settings_and_gives_them_back():
    """A config's other settings are ignored; `cell` is left out for the LSTM, so that files are as they always were."""
    config = TrainingConfig(layers=3, lstm_state_size=9, embedding_size=4, num_proj=2, dropout=0.5)
    shape = ModelShape.of(vars(config), 11)
    assert shape == ModelShape(layers=3, lstm_state_size=9, embedding_size=4, num_proj=2, vocabulary_size=11)
    assert shape.settings == shape_values(config) == shape_values(shape)
    assert ModelShape.of(shape.settings, 11) == shape
    other = dataclasses.replace(shape, cell="gru")
    assert ModelShape.of(other.settings, 11) == other


def test_the_settings_that_shape_a_network():
    """They are the model's settings, without those that choose its tokens or its precision."""
    assert SHAPE_SETTINGS == ("lstm_state_size", "layers", "embedding_size", "layer_norm", "num_proj")
