import itertools
import re

import pytest

from textgen.config import TrainingConfig
from textgen.planning import CHOSEN_SETTINGS, SHAPE_SETTINGS, base_pays, can_choose, choose

MINUTES = (0.01, 1, 3, 10, 60, 600, 1e6)
TEXTS = (1, 20_000, 1_000_000, 1_000_000_000)
KINDS = tuple(itertools.product(("char", "word"), ("cpu", "gpu")))


def chosen(*arguments, unroll_steps=64, **options):
    choices = choose(*arguments, unroll_steps=unroll_steps, **options)
    return {name: value for choice in choices for name, value in choice.settings.items()}


@pytest.mark.parametrize(("language_model", "device"), KINDS)
@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("characters", TEXTS)
def test_every_choice_is_a_valid_config(minutes, characters, language_model, device):
    """For any time, text and device, the chosen settings are valid and name the whole model."""
    settings = chosen(minutes, characters, language_model, device)
    config = TrainingConfig(minutes=minutes, language_model=language_model, **settings)
    assert config.layers >= 1
    assert {"lstm_state_size", "layers", "embedding_size"} <= settings.keys()


@pytest.mark.parametrize(("language_model", "device"), KINDS)
def test_more_time_never_gives_a_smaller_model(language_model, device):
    """Layers times states never fall as the minutes grow."""
    sizes = [chosen(minutes, 1_000_000, language_model, device) for minutes in MINUTES]
    products = [size["layers"] * size["lstm_state_size"] for size in sizes]
    assert products == sorted(products)


@pytest.mark.parametrize(("language_model", "device"), KINDS)
@pytest.mark.parametrize("characters", [1_000, 20_000, 1_000_000])
@pytest.mark.parametrize("unroll_steps", [1, 64, 20_000])
def test_a_short_text_has_fewer_streams(characters, language_model, device, unroll_steps):
    """An epoch has several steps for any length of window, unless even one stream is too short."""
    settings = chosen(3, characters, language_model, device, unroll_steps=unroll_steps)
    tokens = characters / (1 if language_model == "char" else 6)
    assert settings["batch_size"] == 1 or settings["batch_size"] * settings["unroll_steps"] * 6 <= tokens
    assert device == "cpu" or settings["batch_size"] <= 8 or settings["batch_size"] % 8 == 0


def test_each_choice_has_one_reason():
    """No setting is chosen twice, and each choice has a reason of one line."""
    choices = choose(3, 1_000_000, "char", "cpu", unroll_steps=64)
    names = [name for choice in choices for name in choice.settings]
    assert len(names) == len(set(names))
    assert all(choice.reason and "\n" not in choice.reason for choice in choices)
    assert set(choices[0].settings) <= set(SHAPE_SETTINGS)
    assert set(names) <= set(CHOSEN_SETTINGS)


@pytest.mark.parametrize(("language_model", "device"), KINDS)
def test_a_given_shape_gets_the_training_of_the_chosen_one(language_model, device):
    """For the shape that would be chosen, everything else is chosen alike; without a time, no limit is."""
    for minutes in MINUTES:
        whole = chosen(minutes, 300_000, language_model, device)
        shape = {name: whole.pop(name) for name in SHAPE_SETTINGS if name in whole}
        assert chosen(minutes, 300_000, language_model, device, shape=shape) == whole
        untimed = {name: value for name, value in whole.items() if name not in {"epochs", "patience"}}
        assert chosen(None, 300_000, language_model, device, shape=shape) == untimed


def test_a_model_that_training_starts_from_gives_its_shape():
    """It has a lower learning rate, fewer streams and no more passes than a new model of that shape."""
    shape = {"lstm_state_size": 448, "layers": 1, "embedding_size": 64, "layer_norm": False, "num_proj": None}
    for characters in (27_000, 90_000, 185_000, 1_000_000):
        started = chosen(5, characters, "char", "cpu", started=shape)
        scratch = chosen(5, characters, "char", "cpu", shape=shape)
        used = {name: value for name, value in shape.items() if value}
        assert {name: started[name] for name in SHAPE_SETTINGS if name in started} == used
        assert started["learning_rate"] < scratch["learning_rate"]
        assert started["batch_size"] <= scratch["batch_size"]
        assert started["epochs"] <= scratch["epochs"]


@pytest.mark.parametrize(
    ("layers", "states", "embedding_size", "language_model", "rate"),
    [
        (1, 384, 384, "char", 0.009),
        (1, 512, 512, "char", 0.007),
        (1, 2048, 512, "char", 0.004),
        (1, 384, None, "char", 0.012),
        (2, 512, 512, "char", 0.006),
        (2, 384, None, "char", 0.008),
        (4, 512, 512, "char", 0.003),
        (1, 256, 128, "word", 0.006),
        (1, 512, 256, "word", 0.003),
    ],
)
def test_the_learning_rate_of_a_shape(layers, states, embedding_size, language_model, rate):
    """Measured shapes have the measured rate; larger and deeper ones have a lower one."""
    shape = {"lstm_state_size": states, "layers": layers, "embedding_size": embedding_size}
    assert chosen(3, 300_000, language_model, "cpu", shape=shape)["learning_rate"] == rate


@pytest.mark.parametrize(
    ("minutes", "characters", "device", "cores", "reason"),
    [
        (5, 100_000, "cpu", 2, r"about \d+ of the 300 seconds on 2 cores; more would only memorise the text"),
        (60, 100_000, "cpu", 1, r"about [\d.]+ of the 60 minutes on 1 core; more would only memorise the text"),
        (1, 500_000, "cpu", 2, r"more would only memorise the text; there is time for about 4 on 2 cores"),
        (1, 500_000, "cpu", 8, r"more would only memorise the text; there is time for about 7.3 on 8 cores"),
        (5, 100_000, "gpu", 8, r"about \d+ of the 300 seconds; more would only memorise the text"),
    ],
)
def test_the_passes_are_explained(minutes, characters, device, cores, reason):
    """The reason gives the time that they take on the cores of the CPU, or the number of passes for which there is time."""
    choices = choose(minutes, characters, "char", device, unroll_steps=64, cores=cores)
    (found,) = (choice for choice in choices if "epochs" in choice.settings)
    assert re.fullmatch(reason, found.reason)


@pytest.mark.parametrize(("language_model", "device"), KINDS)
@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("characters", TEXTS)
def test_the_model_does_not_depend_on_the_cores(minutes, characters, language_model, device):
    """The shape, and so the job's name, and the passes are those of two cores, whatever the number of cores."""
    found = [chosen(minutes, characters, language_model, device, cores=cores) for cores in (2, 1, 3, 4, 16, 1000)]
    trained = ("batch_size", "learning_rate", "patience")
    others = [{name: value for name, value in settings.items() if name not in trained} for settings in found]
    assert others == [others[0]] * len(found)
    assert [settings["batch_size"] for settings in found[:3]] == [found[0]["batch_size"]] * 3
    assert [settings["learning_rate"] for settings in found[:3]] == [found[0]["learning_rate"]] * 3


SHAPE = {"lstm_state_size": 384, "layers": 1, "embedding_size": 384}


@pytest.mark.parametrize(
    ("minutes", "characters", "cores", "streams"),
    [
        (1, 1_000_000, 2, 16),
        (1, 1_000_000, 3, 16),
        (1, 1_000_000, 4, 32),
        (1, 1_000_000, 16, 32),
        (5, 1_000_000, 4, 16),
        (5, 5_000_000, 4, 32),
        (600, 50_000_000, 8, 32),
        (1, 200_000, 4, 16),
        (0.01, 50_000, 4, 15),
        (None, 50_000_000, 16, 16),
    ],
)
def test_a_long_text_has_more_streams_on_four_cores(minutes, characters, cores, streams):
    """Four cores read 32 streams, at a higher learning rate, if the time ends the run long before the passes worth making."""
    settings = chosen(minutes, characters, "char", "cpu", cores=cores, shape=SHAPE)
    assert settings["batch_size"] == streams
    assert settings["learning_rate"] == (0.013 if streams == 32 else 0.009)


@pytest.mark.parametrize(("minutes", "rate", "streams"), [(1, 0.00098, 32), (5, 0.0007, 16)])
def test_a_model_that_starts_from_another_one_has_more_streams_too(minutes, rate, streams):
    """It needs fewer passes, so 32 streams pay in less time."""
    settings = chosen(minutes, 1_000_000, "char", "cpu", cores=4, started=SHAPE)
    assert (settings["batch_size"], settings["learning_rate"]) == (streams, rate)


@pytest.mark.parametrize("options", [{"language_model": "word"}, {"device": "gpu"}])
def test_what_was_not_measured_has_the_streams_of_two_cores(options):
    """Words and GPUs keep their number of streams."""
    arguments = {"language_model": "char", "device": "cpu", **options}
    few, many = (
        {**chosen(1, 10_000_000, unroll_steps=64, shape=SHAPE, cores=cores, **arguments), "patience": 0}
        for cores in (2, 16)
    )
    assert few == many


def test_a_given_number_of_streams_has_the_usual_learning_rate():
    """The higher learning rate belongs to the chosen streams."""
    for streams in (16, 32, 64):
        settings = chosen(1, 10_000_000, "char", "cpu", cores=8, shape=SHAPE, batch_size=streams)
        assert (settings["batch_size"], settings["learning_rate"]) == (streams, 0.009)


def test_a_long_text_has_no_limit_of_passes():
    """Where no time is long enough to memorise the text, only the time ends training, with some patience."""
    settings = chosen(600, 50_000_000, "char", "cpu")
    assert "epochs" not in settings
    assert settings["patience"] >= 5


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("minutes", [60, 1e6])
def test_the_base_pays_for_short_texts(device, minutes):
    """Starting from the base model pays for a short text in any time, and for a very long one only in a short time."""
    pays = [base_pays(minutes, characters, device) for characters in (1, 30_000, 499_999, 1_000_000, 10**8)]
    assert pays[:3] == [True, True, True]
    assert not pays[-1]
    assert pays == sorted(pays, reverse=True)
    assert base_pays(5, 10**8, "cpu")


@pytest.mark.parametrize("language_model", ["char", "word"])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("minutes", [1, 10, 600])
def test_what_is_chosen_can_be_chosen(language_model, device, minutes):
    """`can_choose` accepts every shape that is chosen for some time, and no other."""
    [choice, *_] = choose(minutes, 10**6, language_model, device, unroll_steps=64)
    shape = {"layer_norm": False, "num_proj": None, "embedding_size": None, **choice.settings}
    assert shape.keys() == set(SHAPE_SETTINGS)
    assert can_choose(shape, language_model)
    assert not can_choose(shape | {"layer_norm": True}, language_model)
    assert not can_choose(shape | {"lstm_state_size": 9}, language_model)
