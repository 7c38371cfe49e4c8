import types

import keras
import pytest

from textgen.config import TrainingConfig
from textgen.planning import Plan, dropout
from textgen.training.optimization import make_optimizer
from textgen.training.progress import Progress
from textgen.training.schedule import Schedule, learning_rate
from textgen.training.steps_per_call import next_steps


def test_the_learning_rate_falls_in_a_staircase():
    """With lr_decay_steps=N the rate is multiplied every N steps and constant in between, whatever the total."""
    config = TrainingConfig(learning_rate=0.8, lr_decay_steps=3, lr_decay_rate=0.5)
    assert [learning_rate(config, step, 5) for step in range(8)] == [0.8] * 3 + [0.4] * 3 + [0.2] * 2


def test_the_learning_rate_warms_up_and_falls_along_a_cosine():
    """Without lr_decay_steps the rate rises for a tenth of a short job, ends at 3% and stays there."""
    config = TrainingConfig(learning_rate=1.0)
    rates = [learning_rate(config, step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(0.98, abs=0.01)
    assert rates[50] == pytest.approx(0.515)
    assert rates[100] == learning_rate(config, 500, 100) == pytest.approx(0.03)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_an_unknown_total_counts_as_far_away():
    """While the total is unknown, the rate stays at its maximum after 100 steps of warm-up."""
    config = TrainingConfig(learning_rate=1.0)
    assert learning_rate(config, 49, None) == pytest.approx(0.5)
    assert learning_rate(config, 10**6, None) == 1.0


def test_the_total_of_a_timed_job_is_estimated_and_corrected_once():
    """After 20 steps and 5% of the time, the remaining time is converted to steps, and again after 30%; later speeds change nothing."""
    progress = Progress(steps_per_epoch=100, tokens_per_step=1)
    schedule = Schedule(Plan(TrainingConfig(minutes=1), 5), progress, "cpu")
    totals = []
    for steps, seconds in ((19, 4.0), (20, 4.0), (60, 17.9), (60, 18.0), (100, 59.0)):
        progress.step = progress.run_steps = steps
        progress.seconds = progress.run_seconds = seconds
        schedule.on_train_batch_end(0)
        totals.append((progress.total_steps, progress.total_corrected))
    assert totals == [(None, False), (300, False), (300, False), (200, True), (200, True)]


def test_a_total_that_epochs_bound_is_exact():
    """The speed never moves the end of a job whose epochs fit into its time."""
    progress = Progress(steps_per_epoch=10, tokens_per_step=1)
    schedule = Schedule(Plan(TrainingConfig(minutes=1, epochs=12), 5), progress, "cpu")
    for seconds in (4.0, 18.0, 30.0):
        progress.step, progress.seconds = 100, seconds
        progress.run_steps, progress.run_seconds = 100, seconds
        schedule.on_train_batch_end(0)
        assert progress.total_steps == 120


def dropouts(config, *, seconds_per_step=0.01, device="cpu", **values):
    """Returns the dropout before each step of a short job, with a step more than the last one seen."""
    progress = Progress(**{"steps_per_epoch": 500, "tokens_per_step": 2000, **values})
    schedule = Schedule(Plan(config, 5), progress, device)
    model = types.SimpleNamespace()
    schedule.set_model(model)
    found = []
    for step in range(progress.step, 4000):
        schedule.on_train_batch_begin(0)
        found.append(model.next_dropout)
        progress.step = progress.run_steps = step + 1
        progress.epoch, progress.epoch_step = divmod(step + 1, progress.steps_per_epoch)
        progress.seconds = progress.run_seconds = (step + 1) * seconds_per_step
        schedule.on_train_batch_end(0)
    assert progress.dropout == found[-1]
    return found


def test_dropout_follows_the_passes_that_a_timed_job_will_make():
    """It starts with that for the estimated speed, and changes when the total of steps is estimated and corrected."""
    slow = dropouts(TrainingConfig(minutes=1, lstm_state_size=512), seconds_per_step=0.015)
    assert slow[0] == slow[-1] == dropout(8, 10**6, "char", started=False)
    fast = dropouts(TrainingConfig(minutes=1, lstm_state_size=512), seconds_per_step=0.003)
    assert fast[0] == slow[0]
    changes = [step for step in range(1, 4000) if fast[step] != fast[step - 1]]
    assert changes == [1000]
    assert fast[-1] == dropout(40, 10**6, "char", started=False) > fast[0]


@pytest.mark.parametrize(("limits", "passes"), [({"epochs": 18}, 18), ({"max_steps": 10_000}, 20)])
def test_dropout_is_exact_from_the_start_without_a_time_limit(limits, passes):
    """With epochs or steps alone it depends on nothing else."""
    expected = dropout(passes, 10**6, "char", started=False)
    assert set(dropouts(TrainingConfig(**limits))) == {expected}


def test_a_given_dropout_stays():
    """A number in the config is used from the first step to the last."""
    assert set(dropouts(TrainingConfig(minutes=1, dropout=0.25))) == {0.25}
    assert set(dropouts(TrainingConfig(minutes=1, dropout=0.25), dropout=0.7)) == {0.25}


def test_a_resumed_job_keeps_the_dropout_of_its_checkpoint():
    """Once the total is corrected, it no longer changes, whatever the speed."""
    kept = dropouts(TrainingConfig(minutes=1), step=100, total_steps=2000, total_corrected=True, dropout=0.45)
    assert set(kept) == {0.45}


def test_a_job_with_a_little_more_time_continues_where_the_cosine_would_be():
    """With a new limit in minutes, the rate follows the elapsed share of the time until the total is estimated again."""
    progress = Progress(steps_per_epoch=100, tokens_per_step=1, step=900, seconds=1800.0)
    config = TrainingConfig(minutes=31, learning_rate=1.0)
    rate = Schedule(Plan(config, 5), progress, "cpu")
    rate.set_model(types.SimpleNamespace())
    rate.on_train_batch_begin(0)
    assert progress.learning_rate == learning_rate(config, 900, 930) < 0.04
    progress.step, progress.seconds, progress.run_steps, progress.run_seconds = 922, 1806.0, 20, 4.0
    rate.on_train_batch_end(0)
    assert progress.total_steps == 922 + 54 * 20 / 4


def test_a_job_that_was_stopped_early_has_the_full_rate_until_its_total_is_known():
    """A few slow first steps do not decide the total: the cosine has hardly moved by then."""
    progress = Progress(steps_per_epoch=100, tokens_per_step=1, step=300, seconds=29.0)
    rate = Schedule(Plan(TrainingConfig(minutes=10, learning_rate=1.0), 5), progress, "cpu")
    rate.set_model(types.SimpleNamespace())
    rate.on_train_batch_begin(0)
    assert progress.learning_rate == 1.0


def test_the_total_of_a_job_without_a_time_limit_is_known_from_the_start():
    """The total is the smaller of epochs and max_steps; minutes can only end the job earlier."""
    for minutes in (None, 600):
        progress = Progress(steps_per_epoch=100, tokens_per_step=1, step=250)
        config = TrainingConfig(epochs=3, max_steps=250, minutes=minutes, learning_rate=1.0)
        rate = Schedule(Plan(config, 5), progress, "cpu")
        rate.set_model(types.SimpleNamespace(optimizer=types.SimpleNamespace()))
        rate.on_train_batch_begin(0)
        assert progress.learning_rate == pytest.approx(0.03)
    timed = Progress(steps_per_epoch=100, tokens_per_step=1, run_steps=20, run_seconds=4.0, seconds=4.0, step=20)
    Schedule(Plan(TrainingConfig(minutes=1, max_steps=30), 5), timed, "cpu").on_train_batch_end(0)
    assert timed.total_steps == 30


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("rmsprop", keras.optimizers.RMSprop),
        ("sgd", keras.optimizers.SGD),
    ],
)
def test_every_name_gives_its_optimizer_with_clipping(name, expected):
    """Each choice is the Keras optimizer of that name and clips the global norm."""
    optimizer = make_optimizer(TrainingConfig(optimizer=name, clip_gradients=0.25))
    assert type(optimizer) is expected
    assert optimizer.global_clipnorm == 0.25


def test_half_precision_scales_the_loss():
    """With float16 the optimizer scales the loss, so that small gradients are not lost."""
    assert isinstance(make_optimizer(TrainingConfig(precision="mixed_float16")), keras.optimizers.LossScaleOptimizer)


def test_with_windows_of_another_size_the_schedule_still_ends_with_the_epochs():
    """A job of ten epochs that quadruples its streams halfway has a fifth of its steps left, and ends at 3%."""
    progress = Progress(steps_per_epoch=25, tokens_per_step=4, epoch=5, step=500)
    rate = Schedule(Plan(TrainingConfig(epochs=10, learning_rate=1.0), 5), progress, "cpu")
    rate.set_model(types.SimpleNamespace(next_rates=[]))
    rates = []
    for progress.step in (500, 624):
        rate.on_train_batch_begin(0)
        rates.append(progress.learning_rate)
    assert rates[0] == pytest.approx(learning_rate(rate._plan.config, 500, 625))
    assert rates[1] == pytest.approx(0.03, abs=0.001)


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ({"run_steps": -1}, {}, 1),
        ({"run_steps": 8, "run_seconds": 1.0}, {}, 2),
        ({"run_steps": 400, "run_seconds": 1.0}, {}, 10),
        ({"run_steps": 400, "run_seconds": 1.0, "window_steps": 7}, {}, 3),
        ({"run_steps": 400, "run_seconds": 1.0, "epoch_step": 98}, {}, 2),
        ({"run_steps": 400, "run_seconds": 1.0, "epoch_step": 13}, {"save_steps": 15}, 2),
        ({"run_steps": 400, "run_seconds": 1.0, "epoch_step": 13}, {"eval_steps": 7}, 1),
        ({"run_steps": 400, "run_seconds": 1.0, "step": 96}, {"max_steps": 100}, 4),
        ({"run_steps": 1, "run_seconds": 60.0}, {}, 1),
    ],
)
def test_a_call_makes_as_many_steps_as_a_quarter_of_a_second_holds_and_none_too_many(values, options, expected):
    """The first call runs one step; no call runs more than ten or past a report, epoch end, save, evaluation or limit."""
    progress = Progress(steps_per_epoch=100, tokens_per_step=1, **values)
    assert next_steps(progress, TrainingConfig(**options)) == expected
