import dataclasses
import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.modelless import MOST_STEPS, Run, controller_of, observe, progress_of, scores_of
from textgen.config import TrainingConfig
from textgen.training.controller import Decision


def test_the_controller_needs_no_tensorflow():
    """A process that only decides loads neither TensorFlow nor Keras."""
    program = "import sys, textgen.training.controller; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False False\n"


def test_a_decision_can_be_sent_as_json():
    """Numbers, strings and tuples of them come back as they were."""
    decision = controller_of(TrainingConfig(), progress_of(run_steps=400, run_seconds=1.0)).decide(0.0)
    assert len(decision.rates) == MOST_STEPS
    values = json.loads(json.dumps(dataclasses.asdict(decision)))
    assert Decision(**{**values, "rates": tuple(values["rates"])}) == decision


@given(
    steps=st.integers(1, 60),
    per_epoch=st.integers(1, 30),
    eval_steps=st.none() | st.integers(1, 12),
    save_steps=st.none() | st.integers(1, 12),
    stop=st.integers(1, 60),
    speed=st.sampled_from([1e-4, 0.03, 10.0]),
)
def test_an_interrupted_run_evaluates_the_same_steps(steps, per_epoch, eval_steps, save_steps, stop, speed):
    """A signal moves neither the evaluations nor the learning rates, and each call ends where something is due."""
    config = TrainingConfig(max_steps=steps, eval_steps=eval_steps, save_steps=save_steps, save_minutes=1e6)
    whole = Run(config, progress_of(steps_per_epoch=per_epoch, tokens_per_step=1000))
    first = Run(
        config, progress_of(steps_per_epoch=per_epoch, tokens_per_step=1000), seconds_per_step=speed, signal_at=stop
    )
    progress = progress_of(steps_per_epoch=per_epoch, tokens_per_step=1000)
    progress.restore(json.loads(json.dumps(first.progress.state())))
    second = Run(config, progress)
    assert first.saved[-1] == first.progress.step
    assert first.evaluated + second.evaluated == whole.evaluated
    assert whole.evaluated[-1] == whole.progress.step == second.progress.step == steps
    rates = [[rate for _, decision in run.calls for rate in decision.rates] for run in (whole, first, second)]
    assert rates[1] + rates[2] == rates[0]
    for run in (whole, first):
        if save_steps is not None:
            assert all(step in run.saved for step in range(1, run.progress.step) if step % per_epoch % save_steps == 0)
    assert second.end == "max_steps"


def test_averages_are_reported_every_ten_steps_and_after_each_evaluation():
    """A new window starts after each report, in a resumed run too."""
    config = TrainingConfig(max_steps=60, eval_steps=17)
    resumed = progress_of(step=3, epoch_step=3, window_steps=3)
    for progress in (None, resumed):
        run = Run(config, progress)
        reported = [step for step, decision in run.calls if decision.report]
        assert reported == [10, 17, 27, 34, 44, 51]
        assert run.progress.train_loss == 2.0


def test_without_an_observation_the_answer_stays_the_same():
    """Asking changes nothing, so that an answer can be asked for, or sent, twice."""
    progress = progress_of(steps_per_epoch=7, step=10, epoch=1, epoch_step=3, run_steps=5, run_seconds=1.0)
    controller = controller_of(TrainingConfig(minutes=1, eval_steps=3), progress)
    before = dataclasses.replace(progress)
    assert controller.decide(3.0) == controller.decide(3.0) == Decision(evaluate=True)
    controller.progress.add_scores(scores_of(1.0), "")
    after = dataclasses.replace(progress)
    assert controller.decide(3.0) == controller.decide(3.0)
    assert progress == after != before


@pytest.mark.parametrize(
    ("values", "options", "end", "status"),
    [
        ({"step": 20}, {"max_steps": 20}, "max_steps", "finished"),
        ({"epoch": 3}, {"epochs": 3}, "epochs", "finished"),
        ({"epoch": 3, "step": 20}, {"epochs": 3, "max_steps": 20}, "epochs", "finished"),
        ({"seconds": 60.0}, {"minutes": 1}, "minutes", "finished"),
        ({"stale": 4}, {"minutes": 1, "patience": 4}, "patience", "finished"),
        ({}, {"minutes": 1}, "", "running"),
    ],
)
def test_the_end_names_its_limit(values, options, end, status):
    """Training ends at the first limit that is reached, once its last step is evaluated."""
    progress = progress_of(**{"step": 10, "epoch_step": 1, **values})
    controller = controller_of(TrainingConfig(**options), progress)
    decision = controller.decide(0.0)
    assert decision.evaluate == bool(end)
    if end:
        stale = progress.stale
        controller.progress.add_scores(scores_of(1.0), "")
        progress.stale = stale
        decision = controller.decide(0.0)
        assert decision.save
        assert not decision.rates
    assert (decision.end, decision.status) == (end, status)


def test_a_signal_ends_a_run_before_its_evaluation_and_not_after_its_last():
    """An evaluation may take long, so the next run makes it; a job that is done stays finished."""
    progress = progress_of(step=10, epoch_step=10)
    controller = controller_of(TrainingConfig(eval_steps=10, max_steps=10), progress)
    stopped = controller.decide(0.0, signal=True)
    assert (stopped.end, stopped.status, stopped.evaluate, stopped.rates) == ("signal", "stopped", False, ())
    controller.progress.add_scores(scores_of(1.0), "")
    assert controller.decide(0.0, signal=True).status == "finished"


def test_a_users_callback_ends_a_run_with_a_save():
    """The job is stopped, as after a signal."""
    controller = controller_of(TrainingConfig(), progress_of())
    assert not controller.decide(0.0, stopped=True).save  # nothing is new
    observe(controller, 3, seconds=0.1)
    decision = controller.decide(0.0, stopped=True)
    assert (decision.end, decision.status, decision.save) == ("callback", "stopped", True)


def test_a_save_is_due_on_its_grid_and_after_a_time():
    """The clock decides only about saves in between, and each save starts it again, even one that failed."""
    controller = controller_of(TrainingConfig(save_minutes=2, save_steps=15), progress_of(), now=1000.0)
    due = {}
    for steps, now in ((10, 1119.0), (1, 1120.0), (1, 1121.0), (3, 1122.0), (7, 1242.0)):
        observe(controller, steps, seconds=0.1)
        step = controller.progress.step
        due[step] = controller.decide(now).save
        if due[step]:
            controller.note_save(now)
            assert not controller.decide(now + 1e6).save  # nothing is new
        controller.progress.start_call(learning_rate=1.0, dropout=0.0)
    assert due == {10: False, 11: True, 12: False, 15: True, 22: True}


@pytest.mark.parametrize(("rollbacks", "end"), [(0, "rollback"), (1, "rollback"), (2, "diverged")])
@pytest.mark.parametrize("found", ["loss", "norm", "evaluation", "save"])
def test_divergence_is_never_saved_and_ends_in_a_rollback_while_any_is_left(found, rollbacks, end):
    """It may be found in the loss, the gradient, an evaluation or the numbers that are to be saved."""
    progress = progress_of(rollbacks=rollbacks)
    controller = controller_of(TrainingConfig(max_rollbacks=2, save_steps=5), progress)
    loss, norm = (math.nan if found == "loss" else 1.0), (math.inf if found == "norm" else 1.0)
    observe(controller, 5, loss=loss, gradient_norm=norm, seconds=0.1)
    if found == "evaluation":
        progress.has_diverged = True
    decision = controller.decide(0.0, signal=True, is_finite=lambda: found != "save")
    assert decision == Decision(end=end)
    assert decision.status == "running"


def test_patience_ends_a_run_after_so_many_evaluations_without_improvement():
    """The best one is kept, and an equal one does not count as better."""
    run = Run(TrainingConfig(max_steps=100, eval_steps=5, patience=3), losses=(2.0, 1.0, 1.5, 1.0, 1.2, 0.5))
    assert run.end == "patience"
    assert run.evaluated == run.saved == [5, 10, 15, 20, 25]
    assert (run.progress.best_step, run.progress.best_loss, run.progress.stale) == (10, 1.0, 3)


def test_patience_that_ends_with_a_resumed_evaluation_allows_no_further_step():
    """A run that was stopped before its last evaluation ends as an uninterrupted one would."""
    progress = progress_of(step=25, epoch_step=25, scored_step=20, best_loss=1.0, best_step=10, stale=2)
    run = Run(TrainingConfig(max_steps=100, eval_steps=5, patience=3), progress, losses=(1.2,))
    assert (run.end, run.evaluated, run.saved, run.calls) == ("patience", [25], [25], [])


def longer(first):
    """Returns the progress of a run whose limits have changed, as it resumes from its last checkpoint."""
    progress = progress_of()
    progress.restore(json.loads(json.dumps(first.progress.state())))
    progress.forget_total()
    return progress


def test_patience_waits_until_the_learning_rate_of_a_longer_job_is_as_low_as_before():
    """With new limits, the learning rate rises, and the loss with it; a finished job makes all of its steps."""
    first = Run(
        TrainingConfig(max_steps=100, eval_steps=10, patience=3), losses=[2 - step / 10 for step in range(9)] + [1.5]
    )
    assert (first.end, first.progress.stale) == ("max_steps", 1)
    for losses in ([1.4] * 21, [1.1, 1.3, *[1.4] * 19], [1.9 - step / 100 for step in range(21)]):
        second = Run(TrainingConfig(max_steps=300, eval_steps=10, patience=3), longer(first), losses=losses)
        assert second.end == "max_steps"


def test_patience_counts_again_once_the_learning_rate_is_as_low_as_before():
    """A job that was stopped halfway, and resumed with twice the steps, has its rate of then at half of those."""
    first = Run(
        TrainingConfig(max_steps=200, eval_steps=10, patience=3),
        signal_at=100,
        losses=[2 - step / 10 for step in range(9)],
    )
    assert (first.end, first.evaluated[-1]) == ("signal", 90)
    second = Run(TrainingConfig(max_steps=400, eval_steps=10, patience=3), longer(first), losses=[1.5] * 40)
    assert second.evaluated[0] == 100  # at the rate of then
    assert (second.end, second.progress.step) == ("patience", 210)


def test_short_texts_are_evaluated_every_few_epochs():
    """The evaluated ends of epochs are at least 100 steps apart."""
    run = Run(TrainingConfig(epochs=20), progress_of(steps_per_epoch=12, tokens_per_step=1000))
    assert run.evaluated == [108, 216, 240]


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ({"run_steps": -1}, {}, 1),
        ({"run_steps": 8, "run_seconds": 1.0}, {}, 2),
        ({"run_steps": 400, "run_seconds": 1.0}, {}, 10),
        ({"run_steps": 400, "run_seconds": 1.0, "window_steps": 7}, {}, 3),
        ({"run_steps": 400, "run_seconds": 1.0, "window_steps": 10}, {}, 10),
        ({"run_steps": 400, "run_seconds": 1.0, "window_steps": 7, "scores": scores_of(1.0)}, {}, 10),
        ({"run_steps": 400, "run_seconds": 1.0, "epoch_step": 98}, {}, 2),
        ({"run_steps": 400, "run_seconds": 1.0, "epoch_step": 13}, {"save_steps": 15}, 2),
        ({"run_steps": 400, "run_seconds": 1.0, "epoch_step": 13}, {"eval_steps": 7}, 1),
        ({"run_steps": 400, "run_seconds": 1.0, "step": 96}, {"max_steps": 100}, 4),
        ({"run_steps": 1, "run_seconds": 60.0}, {}, 1),
    ],
)
def test_a_call_makes_as_many_steps_as_a_quarter_of_a_second_holds_and_none_too_many(values, options, expected):
    """The first call runs one step; no call runs more than ten or past a report, epoch end, save, evaluation or limit."""
    progress = progress_of(**{"step": 13, "epoch_step": 13, **values})
    assert len(controller_of(TrainingConfig(**options), progress).decide(0.0).rates) == expected


def test_a_call_makes_no_more_steps_than_the_model_takes():
    """However short they are."""
    progress = progress_of(run_steps=400, run_seconds=1.0)
    assert len(controller_of(TrainingConfig(), progress, most_steps=4).decide(0.0).rates) == 4


def test_the_training_loss_is_the_mean_since_the_last_evaluation():
    """Full report windows and the current one count, by their steps; the best step keeps it."""
    progress = progress_of()
    for steps, loss in ((10, 4.0), (10, 2.0), (5, 3.5)):
        progress.start_call(learning_rate=1.0, dropout=0.0)
        progress.add_call(steps, loss=loss, gradient_norm=1.0, seconds=0.1)
    assert progress.train_loss == pytest.approx(77.5 / 25)
    assert progress.add_scores(scores_of(1.0), "")
    assert progress.best_train_loss == progress.train_loss
    progress.start_call(learning_rate=1.0, dropout=0.0)
    progress.add_call(5, loss=1.0, gradient_norm=1.0, seconds=0.1)
    assert progress.train_loss == 1.0
