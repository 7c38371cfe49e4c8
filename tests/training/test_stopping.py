import json
import os
import signal

import pytest

from textgen.dataset import encode
from textgen.errors import CancelledError, StoppedError
from textgen.generation import read_model
from textgen.jobs import CheckpointStore, JobState
from textgen.training import attempt
from textgen.training.display import Display
from textgen.training.progress import Progress

SETTINGS = {"max_steps": 30, "eval_steps": 10}
BOTH = pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StoppedError), (signal.SIGINT, CancelledError)])


def send(number):
    os.kill(os.getpid(), number)


def at(evaluation, number):
    """A function of an evaluation's number that sends this process a signal when that evaluation begins."""
    return lambda count: send(number) if count == evaluation else None


@BOTH
def test_a_signal_ends_training_after_the_step_with_a_checkpoint(run, monkeypatch, tmp_path, number, error):
    """SIGTERM and Ctrl-C finish the step, save it, and say how to resume; the next run does."""
    add_call = Progress.add_call

    def add_and_send(progress, steps, **values):
        add_call(progress, steps, **values)
        if progress.step >= 20:
            send(number)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "add_call", add_and_send)
        with pytest.raises(error, match=r"^stopped at step \d+, which is saved; run the same command again to resume$"):
            run(max_steps=10**9)
    step = JobState.read(tmp_path / "job" / "state.json").steps
    assert CheckpointStore(tmp_path / "job" / "checkpoints").steps() == [step]
    _, job, said = run(max_steps=step + 2)
    assert f"Resuming from step {step}" in said
    state = JobState.read(job.state)
    assert (state.status, state.steps) == ("finished", step + 2)


@BOTH
@pytest.mark.parametrize("evaluation", [2, 3])
def test_an_evaluation_cut_short_by_a_signal_is_made_by_the_next_run(run, begun, tmp_path, number, error, evaluation):
    """However long the validation text is, stopping is quick; the scores, samples and the best model are the same."""
    step = 10 * evaluation
    _, unbroken, _ = begun("unbroken", **SETTINGS)
    with pytest.raises(error, match=f"stopped at step {step}, which is saved"):
        run("job", at_evaluation=at(evaluation, number), **SETTINGS)
    assert JobState.read(tmp_path / "job" / "state.json").status == "stopped"
    assert CheckpointStore(tmp_path / "job" / "checkpoints").steps()[0] == step
    with pytest.raises(error, match="there was nothing new to save"):  # again, before the next run's first step
        run("job", at_evaluation=at(1, number), **SETTINGS)
    assert JobState.read(tmp_path / "job" / "state.json").status == "running"

    summary, job, said = run("job", **SETTINGS)
    assert f"step {step}  validation: loss" in said
    assert summary["steps"] == 30
    assert JobState.read(job.state).status == "finished"
    assert job.samples.read_text() == unbroken.samples.read_text()
    assert read_model(job.model).sha256 == read_model(unbroken.model).sha256
    lines, expected = ([json.loads(line) for line in one.metrics.read_text().splitlines()] for one in (job, unbroken))
    for name in ("steps", "epochs", "train_loss", "valid_loss", "learning_rate"):
        assert [line[name] for line in lines] == [line[name] for line in expected]


@pytest.fixture
def corpus(tmp_path, book):
    """A folder with a text in three parts."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for part in ("train", "valid", "test"):
        (folder / f"a.{part}.txt").write_text(book.read_text())
    return folder


@BOTH
def test_a_signal_during_the_last_save_stops_nothing_that_is_done(run, monkeypatch, number, error):
    """A job that has reached its end is finished, and its results are returned."""
    write = CheckpointStore.write

    def write_and_send(store, checkpoint, best_step):
        write(store, checkpoint, best_step)
        send(number)

    monkeypatch.setattr(CheckpointStore, "write", write_and_send)
    summary, job, _ = run()
    assert summary["steps"] == 6
    assert JobState.read(job.state).status == "finished"


@BOTH
def test_the_test_text_is_evaluated_by_the_run_after_a_signal(run, monkeypatch, tmp_path, corpus, number, error):
    """A long test text does not delay the end after a signal, and the next run does nothing but evaluate it."""

    def encode_and_send(section, *arguments):
        ids = encode(section, *arguments)
        if section.paths[0].name == "a.test.txt":
            send(number)
        return ids

    with monkeypatch.context() as patch:
        patch.setattr("textgen.training.fitting.encode", encode_and_send)
        with pytest.raises(error, match="stopped at step 6, which is saved, before the test text was evaluated; run "):
            run(text=corpus)
    assert JobState.read(tmp_path / "job" / "state.json").status == "stopped"
    metrics = (tmp_path / "job" / "metrics.jsonl").read_text()
    summary, job, _ = run(text=corpus)
    assert summary["test_loss"] > 0
    assert JobState.read(job.state).status == "finished"
    assert job.metrics.read_text() == metrics


@pytest.mark.parametrize("last", [3, 4, 10])
def test_a_callback_can_end_training(run, begun, monkeypatch, last_bytes, last):
    """The step is saved, whether or not that was due, the job is stopped, and it resumes to the same results."""

    class Ending(Display):
        """Ends training as a user's own callback would."""

        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self._progress.step >= last:
                self.model.stop_training = True

    settings = {"max_steps": 16, "eval_steps": 10, "save_steps": 4, "lr_decay_steps": 1000, "dropout": 0.2}
    _, whole, _ = begun("whole", **settings)
    with monkeypatch.context() as patch:
        patch.setattr(attempt, "Display", Ending)
        _, job, _ = run("job", **settings)
    state = JobState.read(job.state)
    assert state.status == "stopped"
    assert state.steps == CheckpointStore(job.checkpoints).steps()[0] >= last
    summary, _, said = run("job", **settings)
    assert f"Resuming from step {state.steps}" in said
    assert summary["steps"] == 16
    assert last_bytes(job) == last_bytes(whole)
