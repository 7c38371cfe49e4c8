import dataclasses

import numpy as np
import pytest

from textgen.corpus import Section, Vocabulary, make_tokenizer, open_sections
from textgen.corpus.sources import find_sources
from textgen.evaluation import units
from textgen.evaluation.units import find_strongest_places, outputs_of_unit, strongest_units
from textgen.generation import LSTMStep, ModelFile
from textgen.planning import ModelShape

STATES = 4
LETTERS = "abcdefgh \n"


def recurrence(model, ids):
    """Returns the outputs of all plain layers after each token, from the equations of an LSTM; `(tokens, layers, units)`."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in model.tensors.items()}
    layers, n = model.shape.layers, model.shape.lstm_state_size
    h, c = np.zeros((layers, n)), np.zeros((layers, n))
    found = []
    for token_id in ids:
        x = np.eye(model.vocabulary.size)[token_id]
        for layer in range(layers):
            kernel, recurrent, bias = (
                tensors[f"layers.{layer}.{name}"] for name in ("kernel", "recurrent_kernel", "bias")
            )
            i, f, g, o = np.split(x @ kernel + h[layer] @ recurrent + bias, 4)
            i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
            c[layer] = f * c[layer] + i * np.tanh(g)
            h[layer] = x = o * np.tanh(c[layer])
        found.append(h.copy())
    return np.array(found)


def test_outputs_are_those_of_the_recurrence(random_model):
    """The values of a unit are the outputs of its layer after each token, however long the text is."""
    model = random_model()
    network, ids = LSTMStep(model), np.random.default_rng(1).integers(2, 13, 200).tolist()
    expected = recurrence(model, ids)
    for layer in range(2):
        for unit in (0, 7):
            found = outputs_of_unit(network, ids, layer, unit)
            np.testing.assert_allclose(found, expected[:, layer, unit], atol=1e-4)
        strongest = strongest_units(network, ids, layer, 5)
        order = np.argsort(-np.abs(expected[-1, layer]))[:5]
        assert [unit for unit, _ in strongest] == order.tolist()
        np.testing.assert_allclose([value for _, value in strongest], expected[-1, layer, order], atol=1e-4)


def test_units_of_every_kind_of_network(random_model, any_kind):
    """A projected layer has as many units as outputs; the values are those from which the logits come."""
    model = random_model(**any_kind)
    network, ids = LSTMStep(model), [3, 4, 5]
    last = model.shape.layers - 1
    width = network.layers[last].output_size
    run = network.start()
    for token_id in ids:
        logits = run(np.array([token_id]))[0].copy()
    values = [outputs_of_unit(network, ids, last, unit)[-1] for unit in range(width)]
    assert len(strongest_units(network, ids, last, 99)) == width
    np.testing.assert_allclose(np.append(values, 1) @ network.output, logits, rtol=1e-3, atol=1e-3)


def test_a_text_of_nothing(random_model):
    """An empty text has no values and no strongest units."""
    network = LSTMStep(random_model())
    assert outputs_of_unit(network, [], 0, 0).tolist() == strongest_units(network, [], 0, 3) == []


@pytest.fixture
def section(tmp_path):
    """A function that returns the training section of a text."""

    def open_text(text) -> Section:
        (tmp_path / "book.txt").write_text(text)
        return open_sections(find_sources((str(tmp_path / "book.txt"),), None, None, None), valid_fraction=0.01).train

    return open_text


def firing_model(letter, tokens=LETTERS, tokenizer="char"):
    """A model whose unit 1 has an output near 1 after a token and near 0 after any other, and whose unit 2 has minus that."""
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer(tokenizer))
    shape = ModelShape.of({"layers": 1, "lstm_state_size": STATES}, vocabulary.size)
    tensors = {name: np.zeros(size, np.float32) for name, size in shape.tensors.items()}
    i, f, g, o = (slice(gate * STATES, (gate + 1) * STATES) for gate in range(4))
    bias, kernel = tensors["layers.0.bias"], tensors["layers.0.kernel"]
    bias[i], bias[f], bias[o] = 50, -50, 50
    kernel[vocabulary.ids([letter])[0], g] = [0, 5, -5, 0]
    return ModelFile(tensors, shape, vocabulary, scores={}, data_sha256="", step=1, textgen_version="0.1.0")


def test_passages_where_a_unit_fires(section):
    """The strongest passages of a unit for one letter end a little after this letter, with the values of each token."""
    rng = np.random.default_rng(1)
    letters = rng.choice(list("abcdefg \n"), 30_000)
    letters[[5_200, 12_345, 20_200]] = "h"
    model = firing_model("h")
    places = find_strongest_places(LSTMStep(model), model, section("".join(letters)), 0)
    for unit, sign in ((1, 1), (2, -1)):
        passages = places.passages(unit, 3)
        assert len({passage.peak for passage in passages}) == 1
        for passage in passages:
            text = "".join(passage.pieces)
            assert text in "".join(letters)
            assert text.count("h") == 1
            assert text[passage.peak] == "h"
            assert 60 <= len(text) <= 91
            fires = np.array(list(text)) == "h"
            np.testing.assert_allclose(passage.values, sign * np.where(fires, np.tanh(np.tanh(5)), 0), atol=1e-3)
        assert abs(places.passages(unit, 4)[3].values[0]) < 0.1
    assert max(abs(value) for value in places.passages(0, 1)[0].values) == 0


def test_the_sample_is_spread_over_the_text(section):
    """A long text is read in pieces from all its parts, no more than the sample allows."""
    text = "".join(f"{letter * 50}\n" * 500 for letter in "cdefgh")
    model = firing_model("h")
    places = find_strongest_places(LSTMStep(model), model, section(text), 0, most_pieces=60)
    assert places.texts.shape == (512, 60)
    pieces = [set(model.vocabulary.decode(piece.tolist())) for piece in places.texts.T]
    assert all(9 <= sum(letter in piece for piece in pieces) <= 11 for letter in "cdefgh")


def test_a_passage_ends_with_the_text(section):
    """A piece that is shorter than others has passages of its own tokens only."""
    text = section("a" * 900 + "h\n" + "b" * 9)
    model = firing_model("h")
    places = find_strongest_places(LSTMStep(model), model, text, 0)
    assert len(places.peaks) == 2
    passage = places.passages(1, 1)[0]
    assert passage.pieces[60:] == ["h", "\n"]
    assert len(passage.values) == 62


@pytest.mark.parametrize("text", ["ha", "ab h", "a" * 600 + "h" + "a" * 20])
def test_a_short_text(section, text):
    """A text shorter than a piece is one, in which the last letters count."""
    model = firing_model("h" if "h" in text[:-1] else "a")
    places = find_strongest_places(LSTMStep(model), model, section(text + "\n\n"), 0)
    assert len(places.peaks) == 1
    [passage] = places.passages(1, 8)
    assert "".join(passage.pieces) in text + "\n\n"
    assert len(passage.values) == len(passage.pieces)


def test_passages_of_words(section):
    """The pieces of a pre-tokenized text's passage have the spacing of print, and one value each."""
    model = firing_model("whale", ("the", "white", "whale", ",", "swam", "."), "spaced")
    places = find_strongest_places(LSTMStep(model), model, section("the white whale , swam .\n" * 400), 0)
    passage = places.passages(1, 1)[0]
    assert "".join(passage.pieces).count("white whale, swam.") >= 1
    assert passage.pieces[passage.peak] == " whale"
    values = [round(abs(value), 2) > 0.7 for value in passage.values]
    assert values == [piece.strip() == "whale" for piece in passage.pieces]


def test_a_text_that_has_changed_is_refused(section):
    """The hash of the training text is verified while the sample is read."""
    from textgen.errors import DataError

    model, text = firing_model("h"), section("abc\n" * 1000)
    with pytest.raises(DataError):
        find_strongest_places(LSTMStep(model), model, dataclasses.replace(text, sha256="0"), 0)


def test_the_strongest_output_of_each_unit_in_each_piece(random_model, section):
    """The peak of a unit in a piece is its strongest output after the first tokens, in whatever batch the piece is read."""
    rng = np.random.default_rng(1)
    model = random_model()
    network = LSTMStep(model)
    text = section("".join(rng.choice(list("abcdefghij\n"), 40_000)))
    places = find_strongest_places(network, model, text, 1)
    assert len(places.peaks) > 64
    for piece in rng.integers(len(places.peaks), size=4).tolist():
        length = places.lengths[piece]
        outputs = recurrence(model, places.texts[:length, piece].tolist())[64:, 1]
        strongest = np.abs(outputs).argmax(axis=0)
        expected = outputs[strongest, np.arange(outputs.shape[1])]
        np.testing.assert_allclose(places.peaks[piece], expected, atol=1e-3)
        here = outputs[places.places[piece] - 64, np.arange(outputs.shape[1])]
        np.testing.assert_allclose(here, expected, atol=1e-3)


def test_less_of_the_text_is_read_by_a_large_model(random_model, section, monkeypatch):
    """The number of pieces falls as the number of weights grows, but not below a batch."""
    text = section("abcdefghi\n" * 8000)
    monkeypatch.setattr(units, "_MOST_PRODUCTS", 500e6)
    pieces = []
    for size in (8, 32, 64):
        model = random_model(lstm_state_size=size, layers=1)
        pieces.append(len(find_strongest_places(LSTMStep(model), model, text, 0).peaks))
    assert pieces[0] > pieces[1] > pieces[2] == 64
