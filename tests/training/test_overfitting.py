import json
import random

import pytest

from textgen.evaluation import Scores
from textgen.jobs import JobState
from textgen.training.progress import Progress

SIZE = {"lstm_state_size": 48, "learning_rate": 0.02, "dropout": 0.0, "eval_steps": 10, "sample_length": 0}


@pytest.fixture
def noise(tmp_path):
    """A text whose end cannot be predicted from its beginning, which a model can only memorise."""
    path = tmp_path / "noise.txt"
    path.write_text("".join(random.Random(1).choices("abcdefgh \n", k=500)))  # noqa: S311 - not a secret
    return path


def losses(job):
    return [json.loads(line)["valid_loss"] for line in job.metrics.read_text().splitlines()]


def test_overfitting_is_reported_once_and_at_the_end(run, noise):
    """A warning comes while the validation loss rises, and the last line names the best step and reports overfitting after it."""
    _, job, said = run(text=noise, max_steps=200, **SIZE)
    found = losses(job)
    best = found.index(min(found))
    assert found[-1] > min(found) + 0.5
    lines = said.splitlines()
    (warning,) = [number for number, line in enumerate(lines) if line.startswith("warning:")]
    assert "evaluations, but the training loss has; the best model" in lines[warning]
    assert f"the best model, from step {10 * (best + 1)}, is kept" in lines[warning]
    assert warning < len(lines) - 5
    assert lines[-1] == (
        f"best at step {10 * (best + 1)} ({min(found):.3f}); training after it overfitted; the best model is kept"
    )


def test_a_run_that_learns_to_the_end_only_names_its_best_step(run):
    """There is no warning, and nothing about overfitting."""
    _, job, said = run(max_steps=60, **SIZE)
    assert min(losses(job)) == losses(job)[-1]
    assert "warning:" not in said
    assert said.splitlines()[-1] == f"best at step 60 ({losses(job)[-1]:.3f})"


@pytest.mark.parametrize(
    ("valid_loss", "train_loss", "overfits"),
    [(1.5, 0.9, True), (1.005, 0.9, False), (1.0, 0.9, False), (1.5, 1.3, False)],
)
def test_a_model_overfits_if_only_the_validation_text_is_predicted_worse(valid_loss, train_loss, overfits):
    """A small difference is luck, and a higher training loss means that the model is spoilt and not overfitted."""
    progress = Progress(1, 1, best_loss=1.0, best_step=10, best_train_loss=1.2, window_steps=5)
    progress.window_loss = train_loss
    assert not progress.overfits
    progress.scores = Scores(valid_loss, 1, 1.0, 0.0)
    assert progress.overfits == overfits


def test_a_run_that_patience_ends_says_so(run, noise):
    """The line before the last one gives the reason, and the job is finished."""
    _, job, said = run(text=noise, max_steps=2000, patience=4, **SIZE)
    *_, reason, last = said.splitlines()
    assert reason == "training ends: no improvement in the last 4 evaluations"
    assert last.startswith("best at step ")
    assert JobState.read(job.state).status == "finished"
    assert len(losses(job)) < 200
