"""The runs in `advice/` are real ones, made on two busy cores by the commands that they contain; docs/advice.md lists what came of the advice."""

import json
from pathlib import Path

import pytest

from textgen.config import SamplingConfig, TrainingConfig
from textgen.errors import with_dashes
from textgen.evaluation.advice import Advice, advise
from textgen.evaluation.matching_temperature import TRIED, Shares, TemperatureMatch

RUNS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in Path(__file__).parent.glob("advice/*.json")}


def advice_on(name, history=None, **changed):
    """Returns the advice on a recorded run, with another history or other settings."""
    run = RUNS[name]
    config = TrainingConfig(**{**run["config"], **changed})
    return {each.setting: each.value for each in advise(history or run["history"], config)}


def match(**distances):
    """Returns a match with the given distances by temperature in percent; all others are far."""
    real = Shares(0.0, 0.0, 0.0)
    return TemperatureMatch(real, {each: Shares(distances.get(f"t{each * 100:.0f}", 0.39), 0.0, 0.0) for each in TRIED})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("overfitted", {"epochs": 8}),
        ("worthwhile_epochs", {}),
        ("no_dropout", {"dropout": 0.43}),
        ("chosen_dropout", {}),
        ("short_demo", {"minutes": 3}),
        ("longer_demo", {}),
        ("short", {"minutes": 6}),
        ("longer", {}),
        ("one_step", {"minutes": 2}),
        ("short_word", {"minutes": 6}),
        ("longer_word", {}),
        ("small", {"lstm_state_size": 384}),
        ("small_128", {"lstm_state_size": 384}),
        ("smaller", {}),
        ("large", {"minutes": 30, "lstm_state_size": 384}),
    ],
)
def test_the_advice_on_recorded_runs(name, expected):
    """Each rule speaks on the run that shows its sign, and is silent on the run that followed it."""
    assert advice_on(name) == expected


def test_every_recorded_run_is_tested():
    """No run is recorded in vain."""
    marks = test_the_advice_on_recorded_runs.pytestmark
    assert RUNS.keys() == {name for name, _ in marks[0].args[1]}


@pytest.mark.parametrize("value", [1e308, 5e-324, 10**400, -1.0, "much"])
@pytest.mark.parametrize("name", ["steps", "epochs", "train_loss", "valid_loss", "valid_bits_per_character", "seconds"])
def test_figures_that_cannot_be_true_are_ignored(name, value):
    """A damaged metrics.jsonl gives no advice on numbers with hundreds of digits, and no error."""
    history = [values | {name: value, "tokens_per_second": value} for values in RUNS["short"]["history"]]
    for changed in ({}, {"minutes": None, "max_steps": 1}, {"minutes": None, "epochs": 1}):
        run = RUNS["short"]["config"] | changed
        assert all(len(each.sentence) < 300 for each in advise(history, TrainingConfig(**run)))


def test_the_sentences():
    """A sentence gives the figures and the flag, or the keyword for Python callers."""
    (one,) = advise(RUNS["overfitted"]["history"], TrainingConfig(**RUNS["overfitted"]["config"]))
    assert with_dashes(one.sentence) == (
        "The model overfitted after step 408 (epoch 8), and the validation loss rose from 1.477 to 1.591; the best model is kept, "
        "but for a better one, train again with --fresh --epochs 8"
    )
    (one,) = advise(RUNS["short_demo"]["history"], TrainingConfig(**RUNS["short_demo"]["config"]))
    assert with_dashes(one.sentence, "") == (
        "The model was still learning when training ended, after 0.7 of the 5 passes over the text that are worth making: "
        "train longer with minutes 3"
    )


def test_the_limit_that_ended_the_run_is_raised():
    """A run that steps or epochs ended is told to raise these, not the minutes."""
    assert advice_on("short", minutes=None, epochs=None, max_steps=670) == {"max_steps": 2392}
    assert advice_on("short", minutes=None, epochs=3, max_steps=None) == {"epochs": 13}
    assert advice_on("short", minutes=10) == {}  # ended by something else


def test_the_loss_falls_in_the_last_third():
    """Of three equally distant evaluations, the last two tell whether the loss still falls at the end, and not the first."""
    steps, losses = (50, 100, 150), (2.2, 2.05, 2.045)
    history = [
        {"steps": step, "epochs": step / 50, "train_loss": 2.1, "valid_loss": loss, "seconds": step}
        for step, loss in zip(steps, losses, strict=True)
    ]
    config = TrainingConfig(epochs=3, batch_size=16, unroll_steps=64)
    assert advise(history, config) == ()
    history[-1]["valid_loss"] = 2.02
    assert [each.setting for each in advise(history, config)] == ["epochs"]


def test_a_long_text_has_no_limit_of_passes():
    """Of a text of millions of characters, twice as many passes are advised if the loss still fell, and as many as the best if it rose."""
    long = [{**values, "steps": values["steps"] * 100} for values in RUNS["short"]["history"]]
    assert advice_on("short", long, epochs=None) == {"minutes": 330}
    flat = [{**values, "valid_loss": 1.3 - values["epochs"] / 1000} for values in long]
    assert advice_on("short", flat, epochs=None) == {}
    long = [{**values, "steps": values["steps"] * 1000} for values in RUNS["overfitted"]["history"]]
    assert advice_on("overfitted", long) == {"epochs": 8}


def test_a_late_or_small_rise_is_no_overfitting():
    """Training that ends a little after its best step, or hardly above its loss, was of the right length."""
    history = RUNS["overfitted"]["history"]
    assert advice_on("overfitted", history[:5]) == {}
    flat = [{**values, "valid_loss": min(values["valid_loss"], 1.49)} for values in history]
    assert advice_on("overfitted", flat) == {}
    assert advice_on("overfitted", [{**values, "train_loss": 1.0} for values in history]) == {}


def test_no_size_is_advised_for_what_was_not_measured():
    """A model that starts from another has its shape; a GPU has other sizes; and a model near the chosen size may be right."""
    assert advice_on("small", init_from="base") == {}
    fast = [{**values, "tokens_per_second": 5e6} for values in RUNS["small"]["history"]]
    assert advice_on("small", fast) == {}
    assert advice_on("small", lstm_state_size=256) == {}
    assert "lstm_state_size" not in advice_on("large", lstm_state_size=512)


def test_a_small_model_that_fits_its_text_is_large_enough():
    """If the training loss is below the validation loss, the model has learned more of the text than helps elsewhere."""
    fitted = [{**values, "train_loss": values["valid_loss"] - 0.1} for values in RUNS["small"]["history"]]
    assert advice_on("small", fitted) == {}


@pytest.mark.parametrize(
    ("distances", "value"),
    [
        ({"t60": 0.1, "t80": 0.25}, 0.6),
        ({"t100": 0.05, "t80": 0.2}, 1.0),
        ({"t60": 0.1, "t80": 0.15}, None),
        ({"t80": 0.1}, None),
        ({}, None),
    ],
)
def test_the_temperature(distances, value):
    """A temperature is advised if it is much closer to real text than the default, and close enough."""
    assert SamplingConfig().temperature in TRIED
    run = RUNS["longer"]
    found = advise(run["history"], TrainingConfig(**run["config"]), match(**distances))
    assert [each.value for each in found] == ([] if value is None else [value])


def test_no_temperature_is_advised_for_a_model_that_needs_more_training():
    """More training changes the best temperature."""
    run = RUNS["short"]
    found = advise(run["history"], TrainingConfig(**run["config"]), match(t60=0.1))
    assert [each.setting for each in found] == ["minutes"]


def test_a_model_that_writes_nothing_like_its_text():
    """A model that has hardly learned is not helped by another temperature."""
    far = TemperatureMatch(Shares(0, 0, 0), {0.5: Shares(0.41, 0, 0), 0.8: Shares(0.9, 0, 0)})
    assert advise(RUNS["longer"]["history"], TrainingConfig(**RUNS["longer"]["config"]), far) == ()


@pytest.mark.parametrize(
    "history",
    [
        [],
        [{}],
        [{"steps": 0, "epochs": 0, "valid_loss": 1.0}],
        [{"steps": None, "epochs": "x", "valid_loss": float("nan"), "seconds": []}],
        [{"steps": 5, "epochs": 1e-300, "valid_loss": 1e300, "valid_bits_per_character": 1e-300}],
        [{"steps": 10**400, "epochs": 1, "valid_loss": 1.0}],
    ],
)
def test_unusual_histories_do_not_fail(history):
    """No evaluation, one without figures, or one with figures that no run has: there is no advice, and no failure."""
    assert all(isinstance(each, Advice) for each in advise(history, TrainingConfig()))


def test_only_the_present_validation_text_counts():
    """After the text has changed, losses on the earlier one say nothing."""
    history = RUNS["overfitted"]["history"]
    other = [{**values, "valid_sha256": "a"} for values in history[:4]]
    assert advice_on("overfitted", [*other, *({**values, "valid_sha256": "b"} for values in history[-1:])]) == {}
