import itertools

import pytest

from textgen.config import TrainingConfig
from textgen.planning import epochs_between_evaluations, expected_passes
from textgen.planning.passes import patience, worthwhile_passes

LENGTHS = (1, 30_000, 100_000, 185_000, 1_000_000, 5_000_000)


@pytest.mark.parametrize("language_model", ["char", "word"])
@pytest.mark.parametrize("started", [False, True])
def test_a_longer_text_is_worth_as_many_passes_or_more(language_model, started):
    """The passes never fall with the length of the text, and a long one has no limit."""
    passes = [worthwhile_passes(characters, language_model, started=started) or 0 for characters in LENGTHS]
    assert passes == sorted(passes)
    assert passes[0] >= 1
    assert worthwhile_passes(10_000_000, language_model, started=started) is None


def test_a_model_that_starts_from_another_one_needs_fewer_passes():
    """For each length and kind of tokens."""
    for language_model, characters in itertools.product(("char", "word"), LENGTHS):
        scratch, started = (worthwhile_passes(characters, language_model, started=one) or 0 for one in (False, True))
        assert 0 < started <= scratch


@pytest.mark.parametrize(
    ("limits", "passes"),
    [
        ({"epochs": 7}, 7),
        ({"max_steps": 50}, 0.5),
        ({"epochs": 7, "max_steps": 50}, 0.5),
        ({"epochs": 7, "minutes": 1000}, 7),
        ({"minutes": 1}, pytest.approx(20, rel=0.05)),
        ({"epochs": 700, "minutes": 1}, pytest.approx(20, rel=0.05)),
    ],
)
def test_the_first_limit_decides_the_passes(limits, passes):
    """Steps count by their tokens, and minutes by the estimated speed: 34,000 characters per second for 384 states."""
    config = TrainingConfig(embedding_size=384, batch_size=16, unroll_steps=64, **limits)
    assert expected_passes(config, 102_400, "cpu") == passes


@pytest.mark.parametrize(("steps_per_epoch", "tokens_per_step"), [(1, 1024), (26, 1024), (105, 256), (13, 40), (1, 1)])
def test_evaluations_of_a_short_text_are_apart(steps_per_epoch, tokens_per_step):
    """There are at least 100 steps and 40,000 tokens between two evaluations, and hardly more."""
    epochs = epochs_between_evaluations(steps_per_epoch, tokens_per_step)
    steps = epochs * steps_per_epoch
    assert steps >= 100
    assert steps * tokens_per_step >= 40_000
    shorter = steps - steps_per_epoch
    assert shorter < 100 or shorter * tokens_per_step < 40_000


def test_a_long_text_is_evaluated_after_each_epoch():
    """An epoch of enough steps is always evaluated."""
    assert epochs_between_evaluations(1000, 1024) == 1


def test_patience_grows_with_the_number_of_evaluations():
    """A run of 100 evaluations waits for a quarter of them, and a short one for five."""
    assert patience(100, 1000, 1024) == 25
    assert patience(13, 26, 1024) == patience(0.1, 10**6, 1024) == 5


def test_patience_is_as_long_with_more_evaluations():
    """Evaluations within an epoch that are ten times as close get at least ten times the patience."""
    assert patience(10, 1000, 1024, eval_steps=100) >= 10 * patience(10, 1000, 1024)
    assert patience(10, 10, 1024, eval_steps=10) >= 10 * patience(10, 10, 1024)
    assert patience(10, 1000, 1024, eval_steps=5000) == patience(10, 1000, 1024)
