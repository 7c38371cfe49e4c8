import itertools

import pytest

from textgen.config import TrainingConfig
from textgen.planning import dropout, epochs_between_evaluations, expected_passes, worthwhile_passes
from textgen.planning.estimates import patience, tokens_per_second

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
    """This is true of each length and kind of tokens."""
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
    assert expected_passes(config, 102_400, "cpu", 2) == passes


def test_more_cores_make_more_passes_in_the_same_minutes():
    """Only a limit by time depends on the cores."""
    config = TrainingConfig(embedding_size=384, batch_size=16, minutes=1)
    passes = [expected_passes(config, 102_400, "cpu", cores) for cores in (1, 2, 4)]
    assert passes == sorted(set(passes))
    steps = TrainingConfig(batch_size=16, max_steps=50)
    assert len({expected_passes(steps, 102_400, "cpu", cores) for cores in (1, 2, 4)}) == 1


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


@pytest.mark.parametrize("language_model", ["char", "word"])
@pytest.mark.parametrize("started", [False, True])
def test_more_passes_get_more_dropout(language_model, started):
    """Dropout never falls as the passes grow, and is always between 0 and 1."""
    rates = [dropout(passes, 100_000, language_model, started=started) for passes in (0, 0.1, 1, 2, 5, 12, 40, 1e9)]
    assert rates == sorted(rates)
    assert 0 < rates[0] < rates[-1] < 1


def test_a_shorter_text_gets_more_dropout():
    """For the same passes, dropout falls with the length of the text, and depends on nothing else in short ones."""
    rates = [dropout(13, characters, "char", started=False) for characters in (1, 200_000, 1_000_000, 1_000_000_000)]
    assert rates[0] == rates[1]
    assert rates == sorted(rates, reverse=True)
    assert rates[1] > rates[2] > rates[3]


def shape(states, layers, embedding_size, **more):
    return {"lstm_state_size": states, "layers": layers, "embedding_size": embedding_size, **more}


@pytest.mark.parametrize(
    ("states", "layers", "embedding_size", "language_model", "speed"),
    [
        (384, 1, 384, "char", 34_000),
        (512, 1, 512, "char", 20_000),
        (512, 2, 512, "char", 7_000),
        (256, 1, 128, "word", 4_000),
        (512, 1, 256, "word", 2_500),
    ],
)
def test_the_formula_fits_the_measured_speeds(states, layers, embedding_size, language_model, speed):
    """The formula gives the speeds measured on two cores within a third."""
    found = tokens_per_second(shape(states, layers, embedding_size), language_model, "cpu")
    assert found == pytest.approx(speed, rel=0.33)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("language_model", ["char", "word"])
def test_anything_larger_is_slower(device, language_model):
    """More states, more layers and layer normalisation take more time; a projection takes less."""

    def speed(*sizes, **more):
        return tokens_per_second(shape(*sizes, **more), language_model, device)

    plain = speed(256, 2, 64)
    assert plain > speed(512, 2, 64)
    assert plain > speed(256, 3, 64)
    assert plain > speed(256, 2, 64, layer_norm=True)
    assert plain < speed(256, 2, 64, num_proj=32)


def test_few_streams_are_slower_on_a_cpu():
    """Half the streams take three quarters of the time; more than sixteen are not faster per token."""
    sixteen, eight, more = (tokens_per_second(shape(384, 1, 384), "char", "cpu", streams=n) for n in (16, 8, 64))
    assert eight == pytest.approx(sixteen / 1.5)
    assert more == sixteen


def test_more_cores_are_faster_on_a_cpu():
    """One core takes 1.6 times as long as the two that were measured; the cores of a machine with a GPU do not matter."""

    def speeds(device):
        return [tokens_per_second(shape(384, 1, 384), "char", device, cores=cores) for cores in (1, 2, 4, 8)]

    one, two, four, eight = speeds("cpu")
    assert two == tokens_per_second(shape(384, 1, 384), "char", "cpu")
    assert one == pytest.approx(two / 1.6)
    assert eight == four > two
    assert len(set(speeds("gpu"))) == 1
