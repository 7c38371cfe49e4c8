import itertools

import pytest

from textgen.config import TrainingConfig
from textgen.planning import SHAPE_SETTINGS, choose

MINUTES = (0.01, 1, 3, 10, 60, 600, 1e6)
TEXTS = (1, 20_000, 1_000_000, 1_000_000_000)
KINDS = tuple(itertools.product(("char", "word"), ("cpu", "gpu")))


def chosen(*arguments, unroll_steps=64):
    choices = choose(*arguments, unroll_steps=unroll_steps)
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


def test_a_shorter_text_gets_more_dropout():
    """For the same time, dropout falls with the length of the text."""
    dropouts = [chosen(30, characters, "char", "cpu")["dropout"] for characters in TEXTS]
    assert dropouts == sorted(dropouts, reverse=True)
    assert dropouts[0] > dropouts[-1]


@pytest.mark.parametrize(("language_model", "device"), KINDS)
@pytest.mark.parametrize("characters", [1_000, 20_000, 1_000_000])
@pytest.mark.parametrize("unroll_steps", [1, 64, 20_000])
def test_a_short_text_has_fewer_streams(characters, language_model, device, unroll_steps):
    """An epoch has several steps for any length of window, unless even one stream is too short."""
    settings = chosen(3, characters, language_model, device, unroll_steps=unroll_steps)
    tokens = characters / (1 if language_model == "char" else 6)
    assert settings["batch_size"] == 1 or settings["batch_size"] * settings["unroll_steps"] * 6 <= tokens


def test_each_choice_has_one_reason():
    """No setting is chosen twice, and each choice has a reason of one line."""
    choices = choose(3, 1_000_000, "char", "cpu", unroll_steps=64)
    names = [name for choice in choices for name in choice.settings]
    assert len(names) == len(set(names))
    assert all(choice.reason and "\n" not in choice.reason for choice in choices)
    assert set(choices[0].settings) <= set(SHAPE_SETTINGS)
