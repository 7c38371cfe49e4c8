import dataclasses

import pytest

from tests.training.modelless import Run, controller_of, observe, progress_of
from textgen.config import TrainingConfig
from textgen.planning import dropout
from textgen.training.controller import learning_rate


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


def test_each_rollback_halves_the_rates():
    """All steps of a call have their own rate, each of them halved."""
    config = TrainingConfig(max_steps=1000)
    values = {"step": 50, "epoch_step": 50, "run_steps": 400, "run_seconds": 1.0}
    plain, halved = (
        controller_of(config, progress_of(rollbacks=rollbacks, **values)).decide(0.0) for rollbacks in (0, 2)
    )
    assert plain.rates == tuple(learning_rate(config, step, 1000) for step in range(50, 60))
    assert halved.rates == tuple(rate / 4 for rate in plain.rates)


def test_the_total_of_a_timed_job_is_estimated_and_corrected_once():
    """After 20 steps and 5% of the time, the remaining time is converted to steps, and again after 30%; later speeds change nothing."""
    progress = progress_of(steps_per_epoch=1000)
    controller = controller_of(TrainingConfig(minutes=1), progress)
    progress.run_steps = 0
    totals = []
    for steps, seconds in ((19, 4.0), (1, 0.0), (40, 13.9), (0, 0.1), (40, 41.0)):
        observe(controller, steps, seconds=seconds)
        totals.append((progress.total_steps, progress.total_corrected))
    assert totals == [(None, False), (300, False), (300, False), (200, True), (200, True)]


def test_a_total_that_epochs_bound_is_exact():
    """The speed never moves the end of a job whose epochs fit into its time."""
    progress = progress_of(steps_per_epoch=10, step=100, epoch=10, run_steps=0)
    controller = controller_of(TrainingConfig(minutes=1, epochs=12), progress)
    progress.run_steps = 100
    for seconds in (4.0, 14.0, 12.0):
        observe(controller, 0, seconds=seconds)
        assert progress.total_steps == 120


def long_run(config, **options):
    return Run(config, progress_of(steps_per_epoch=500, tokens_per_step=2000), **options)


def test_dropout_follows_the_passes_that_a_timed_job_will_make():
    """It starts with that for the estimated speed, and changes when the total of steps is estimated and corrected."""
    slow = long_run(TrainingConfig(minutes=1, lstm_state_size=512), seconds_per_step=0.015).dropouts
    assert slow[0] == slow[-1] == dropout(8, 10**6, "char", started=False)
    fast = long_run(TrainingConfig(minutes=1, lstm_state_size=512), seconds_per_step=0.003).dropouts
    assert fast[0] == slow[0]
    changes = [step for step in range(1, len(fast)) if fast[step] != fast[step - 1]]
    assert changes == pytest.approx([1000], abs=20)
    assert fast[-1] == dropout(40, 10**6, "char", started=False) > fast[0]


def test_the_first_dropout_of_a_timed_job_follows_its_speed_and_not_its_epochs():
    """A new job has the dropout for the passes that its model size allows, and a resumed one for those of its own speed."""
    config = TrainingConfig(minutes=1, epochs=40, lstm_state_size=512)
    new = progress_of(steps_per_epoch=500, tokens_per_step=2000)
    resumed = dataclasses.replace(new, step=10_000, epoch=20, scored_step=10_000, seconds=30.0)
    assert controller_of(config, new).decide(0.0).dropout == dropout(8, 10**6, "char", started=False)
    assert controller_of(config, resumed).decide(0.0).dropout == dropout(40, 10**6, "char", started=False)


@pytest.mark.parametrize(("limits", "passes"), [({"epochs": 18}, 18), ({"max_steps": 10_000}, 20)])
def test_dropout_is_exact_from_the_start_without_a_time_limit(limits, passes):
    """With epochs or steps alone it depends on nothing else."""
    assert set(long_run(TrainingConfig(**limits)).dropouts) == {dropout(passes, 10**6, "char", started=False)}


def test_a_given_dropout_stays():
    """A number in the config is used from the first step to the last, whatever the checkpoint has."""
    assert set(long_run(TrainingConfig(minutes=0.1, dropout=0.25)).dropouts) == {0.25}
    assert set(Run(TrainingConfig(minutes=0.1, dropout=0.25), progress_of(dropout=0.7)).dropouts) == {0.25}
    progress = progress_of(dropout=0.25, run_steps=0)
    observe(controller_of(TrainingConfig(minutes=1, dropout=0.25), progress), 20, seconds=4.0)
    assert progress.total_steps == 300
    assert progress.dropout == 0.25


def test_a_resumed_job_keeps_the_dropout_of_its_checkpoint():
    """Once the total is corrected, it no longer changes, whatever the speed."""
    resumed = progress_of(step=100, epoch=1, total_steps=2000, total_corrected=True, dropout=0.45)
    assert set(Run(TrainingConfig(minutes=0.1), resumed).dropouts) == {0.45}


def test_a_job_with_a_little_more_time_continues_where_the_cosine_would_be():
    """With a new limit in minutes, the rate follows the elapsed share of the time until the total is estimated again."""
    progress = progress_of(steps_per_epoch=1000, step=900, epoch_step=900, seconds=1800.0)
    config = TrainingConfig(minutes=31, learning_rate=1.0)
    controller = controller_of(config, progress)
    assert controller.decide(0.0).rates == (learning_rate(config, 900, 930),)
    assert learning_rate(config, 900, 930) < 0.04
    for steps, seconds in ((2, 2.0), (20, 4.0)):
        observe(controller, steps, seconds=seconds)
    assert progress.total_steps == 922 + 54 * 20 / 4


def test_a_job_that_was_stopped_early_has_the_full_rate_until_its_total_is_known():
    """A few slow first steps do not decide the total: the cosine has hardly moved by then."""
    progress = progress_of(steps_per_epoch=1000, step=300, epoch_step=300, seconds=29.0)
    assert controller_of(TrainingConfig(minutes=10, learning_rate=1.0), progress).decide(0.0).rates == (1.0,)


@pytest.mark.parametrize("minutes", [None, 600])
def test_the_total_of_a_job_without_a_time_limit_is_known_from_the_start(minutes):
    """The total is the smaller of epochs and max_steps; minutes can only end the job earlier."""
    config = TrainingConfig(epochs=3, max_steps=250, minutes=minutes, learning_rate=1.0)
    progress = progress_of(step=249, epoch=2, epoch_step=49)
    assert controller_of(config, progress).decide(0.0).rates == pytest.approx((0.03,), abs=0.001)
    timed = progress_of(run_steps=20, run_seconds=4.0, seconds=4.0, step=20, epoch_step=20)
    controller = controller_of(TrainingConfig(minutes=1, max_steps=30), timed)
    observe(controller, 0, seconds=0.0)
    assert timed.total_steps == 30


def test_with_windows_of_another_size_the_schedule_still_ends_with_the_epochs():
    """A job of ten epochs that quadruples its streams halfway has a fifth of its steps left, and ends at 3%."""
    config = TrainingConfig(epochs=10, learning_rate=1.0)
    run = Run(config, progress_of(steps_per_epoch=25, tokens_per_step=4, epoch=5, step=500, scored_step=500))
    rates = [rate for _, decision in run.calls for rate in decision.rates]
    assert len(rates) == 125
    assert rates[0] == pytest.approx(learning_rate(config, 500, 625))
    assert rates[-1] == pytest.approx(0.03, abs=0.001)
