import pytest

from textgen.planning import SHAPE_SETTINGS, base_pays, can_choose, choose


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
    """Every shape that is chosen for some time is known as one, and another is not."""
    [choice, *_] = choose(minutes, 10**6, language_model, device, unroll_steps=64)
    shape = {"layer_norm": False, "num_proj": None, "embedding_size": None, **choice.settings}
    assert shape.keys() == set(SHAPE_SETTINGS)
    assert can_choose(shape, language_model)
    assert not can_choose(shape | {"layer_norm": True}, language_model)
    assert not can_choose(shape | {"lstm_state_size": 9}, language_model)
