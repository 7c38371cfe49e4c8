import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from textgen.config import TrainingConfig
from textgen.config.training import DEFAULT_MINUTES
from textgen.planning import Plan


def plan_of(vocabulary_size=11, **options):
    return Plan(TrainingConfig(**options), vocabulary_size)


def test_without_a_limit_a_job_trains_for_five_minutes():
    """A run without epochs, steps or minutes ends after five minutes, and the plan shows this."""
    plan = plan_of()
    assert DEFAULT_MINUTES == 5
    assert plan.limits == "5 minutes"
    assert plan.fraction(epochs=1000, steps=10**9, minutes=2.5) == 0.5
    assert plan.fraction(epochs=0, steps=0, minutes=5) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 3}, "3 epochs"),
        ({"epochs": 1}, "1 epoch"),
        ({"max_steps": 1000}, "1,000 steps"),
        ({"max_steps": 1}, "1 step"),
        ({"max_steps": 12_345_678}, "12,345,678 steps"),
        ({"minutes": 2.5}, "2.5 minutes"),
        ({"minutes": 1}, "1 minute"),
        ({"minutes": 60.0}, "60 minutes"),
        ({"epochs": 3, "minutes": 60}, "3 epochs or 60 minutes"),
        ({"epochs": 3, "max_steps": 20, "minutes": 0.5}, "3 epochs, 20 steps or 0.5 minutes"),
        ({"epochs": 3, "patience": 1}, "3 epochs or 1 evaluation without improvement"),
        ({"patience": 5}, "5 minutes or 5 evaluations without improvement"),
    ],
)
def test_the_limits_in_words(options, words):
    """The plan shows each limit that is set and no other. Any limit replaces the five minutes."""
    assert plan_of(**options).limits == words


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"epochs": 4}, 0.25),
        ({"max_steps": 100}, 0.3),
        ({"minutes": 10}, 0.2),
        ({"epochs": 4, "max_steps": 100, "minutes": 10}, 0.3),
        ({"epochs": 1, "max_steps": 100}, 1),
        ({"max_steps": 10}, 1),
    ],
)
def test_the_closest_limit_decides_how_much_is_done(options, expected):
    """After an epoch, 30 steps and 2 minutes, the limit with the largest fraction counts, and the fraction is at most 1."""
    assert plan_of(**options).fraction(epochs=1, steps=30, minutes=2) == pytest.approx(expected)


def test_a_job_that_has_not_started():
    """The fraction starts at 0 for any limit."""
    for options in ({}, {"epochs": 1}, {"max_steps": 1}, {"minutes": 0.1}):
        assert plan_of(**options).fraction(epochs=0, steps=0, minutes=0) == 0


@given(epochs=st.none() | st.integers(1, 1000), steps=st.none() | st.integers(1, 10**6), done=st.integers(0, 2000))
def test_a_job_is_done_exactly_when_a_limit_is_reached(epochs, steps, done):
    """The fraction is 1 once a limit is reached, and less before."""
    assume(epochs is not None or steps is not None)
    fraction = plan_of(epochs=epochs, max_steps=steps).fraction(epochs=done, steps=done, minutes=1e9)
    assert 0 <= fraction <= 1
    assert (fraction == 1) == any(limit is not None and done >= limit for limit in (epochs, steps))


def test_the_remaining_epochs_decide_the_total_steps():
    """Steps already made count as they are, whatever their size. The remaining epochs count by the current size."""
    plan = plan_of(epochs=10)
    assert plan.total_steps(epochs=0, steps=0, steps_per_epoch=100) == 1000
    assert plan.total_steps(epochs=5.25, steps=525, steps_per_epoch=100) == 1000
    assert plan.total_steps(epochs=5, steps=500, steps_per_epoch=25) == 625
    assert plan_of(epochs=10, max_steps=550).total_steps(epochs=5, steps=500, steps_per_epoch=25) == 550
    assert plan_of(minutes=1).total_steps(epochs=0, steps=0, steps_per_epoch=100) is None


def test_a_step_learns_from_all_its_windows():
    """The tokens per step are the streams times the window's length."""
    assert plan_of(batch_size=16, unroll_steps=64).tokens_per_step == 1024


@pytest.mark.parametrize("more", [{"batch_size": 32}, {"unroll_steps": 128}, {"lstm_state_size": 1000}, {"layers": 3}])
def test_more_of_anything_takes_more_memory(more):
    """The memory grows with each size, and is never less than TensorFlow's own."""
    assert plan_of(**more).memory_of_device(1) > plan_of().memory_of_device(1) > 0.5e9
    assert plan_of(100).memory_of_device(1) > plan_of(50).memory_of_device(1)


@pytest.mark.parametrize(("options", "activations"), [({}, 16), ({"num_proj": 1}, 16), ({"layer_norm": True}, 32)])
def test_the_memory_of_windows_by_hand(options, activations):
    """Each token takes a number of activations per cell, twice as many if they are normalised, and three times its logits."""
    plan = plan_of(layers=2, lstm_state_size=5, batch_size=3, unroll_steps=7, **options)
    assert plan.memory_of_windows == 4 * 3 * 7 * (2 * 5 * activations + 3 * 11)


@pytest.mark.parametrize(("optimizer", "copies"), [("adam", 3), ("adamw", 3), ("rmsprop", 2), ("sgd", 1)])
def test_the_bytes_of_a_checkpoint_by_hand(optimizer, copies):
    """It contains 145 weights with their optimizer slots, and h and c of 3 streams. A job keeps three checkpoints."""
    plan = plan_of(layers=1, lstm_state_size=2, batch_size=3, optimizer=optimizer)
    assert plan.checkpoint_bytes == 4 * (145 * copies + 3 * (2 + 2))
    assert plan.disk == 3 * plan.checkpoint_bytes


def test_a_projection_makes_h_smaller():
    """With 2 layers of 5 states projected to 3, the states of 7 streams are 7 x 2 x (5 + 3) numbers."""
    plan = plan_of(layers=2, lstm_state_size=5, num_proj=3, batch_size=7, optimizer="sgd")
    assert plan.checkpoint_bytes == 4 * (plan.shape.parameters + 7 * 2 * (5 + 3))


def test_an_optimizer_with_fewer_slots_takes_less_memory():
    """One slot less per weight saves four bytes in each of the four copies of the state."""
    adam, rmsprop, sgd = (plan_of(optimizer=name) for name in ("adam", "rmsprop", "sgd"))
    assert (
        adam.memory_of_device(1) - rmsprop.memory_of_device(1)
        == rmsprop.memory_of_device(1) - sgd.memory_of_device(1)
        == 4 * 4 * adam.shape.parameters
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": 1, "lstm_state_size": 2}, "1 LSTM layer of 2 states, one-hot input, 145 parameters"),
        (
            {"layers": 2, "lstm_state_size": 500, "embedding_size": 64, "num_proj": 100},
            "2 LSTM layers of 500 states, embedding of 64, projection to 100, 833,815 parameters",
        ),
        (
            {"layers": 1, "lstm_state_size": 2, "layer_norm": True, "precision": "mixed_float16"},
            "1 LSTM layer of 2 states, one-hot input, layer norm, computed in float16, 165 parameters",
        ),
    ],
)
def test_the_model_in_words(options, words):
    """The description names each part of the model and no other."""
    assert plan_of(**options).describe_model() == words
