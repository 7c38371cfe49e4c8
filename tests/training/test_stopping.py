import json
import os
import signal
import threading

import pytest

from textgen.errors import CancelledError, StoppedError
from textgen.generation import read_model
from textgen.jobs import CheckpointStore, JobState

SETTINGS = {"max_steps": 30, "eval_steps": 10}
BOTH = pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StoppedError), (signal.SIGINT, CancelledError)])


def at(evaluation, number):
    """A function of an evaluation's number that sends this process a signal when one begins."""
    return lambda count: os.kill(os.getpid(), number) if count == evaluation else None


@BOTH
def test_a_signal_ends_training_after_the_step_with_a_checkpoint(run, number, error):
    """SIGTERM and Ctrl-C finish the step, save it, and say how to go on; the next run does."""
    timer = threading.Timer(4.0, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(error, match="run the same command again"):
        run(max_steps=10**9)
    timer.join()
    _, job, said = run(max_steps=10**9, minutes=0.001)
    assert "Resuming from step" in said
    assert JobState.read(job.state).status == "finished"


@BOTH
@pytest.mark.parametrize("evaluation", [2, 3])
def test_an_evaluation_cut_short_by_a_signal_is_made_by_the_next_run(run, tmp_path, number, error, evaluation):
    """However long the validation text is, stopping is quick; the scores, samples and the best model are the same."""
    step = 10 * evaluation
    _, unbroken, _ = run("unbroken", **SETTINGS)
    with pytest.raises(error, match=f"stopped at step {step}, which is saved"):
        run("job", at_evaluation=at(evaluation, number), **SETTINGS)
    assert JobState.read(tmp_path / "job" / "state.json").status == "stopped"
    assert CheckpointStore(tmp_path / "job" / "checkpoints").steps()[0] == step

    summary, job, said = run("job", **SETTINGS)
    assert f"step {step}  validation: loss" in said
    assert summary["steps"] == 30
    assert JobState.read(job.state).status == "finished"
    assert job.samples.read_text() == unbroken.samples.read_text()
    assert read_model(job.model).sha256 == read_model(unbroken.model).sha256
    lines, expected = ([json.loads(line) for line in one.metrics.read_text().splitlines()] for one in (job, unbroken))
    for name in ("steps", "epochs", "train_loss", "valid_loss", "learning_rate"):
        assert [line[name] for line in lines] == [line[name] for line in expected]
