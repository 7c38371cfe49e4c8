import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run_installed
from textgen.cli.train import main
from textgen.generation import write_model
from textgen.jobs import JobState, best_evaluation, read_metrics

RUN = json.loads((Path(__file__).parents[1] / "evaluation/advice/one_step.json").read_text(encoding="utf-8"))
COMMAND = ["book.txt", "--init_from=none", "--minutes=0.1"]
"""A run that ends like the recorded one."""


@pytest.fixture
def finish(book, training, random_model, monkeypatch, capsys):
    """A function that trains, as far as the command can tell, and returns what it prints on standard error."""
    outcome: dict[str, Any] = {"damaged": False, "status": "finished"}

    def leave(config, corpus, job, **_):
        job.metrics.write_text("".join(json.dumps(values) + "\n" for values in RUN["history"]))
        write_model(job.model, random_model())
        if outcome["damaged"]:
            job.model.write_bytes(b"damaged")
        JobState(outcome["status"]).write(job.state)
        return training.summary

    monkeypatch.setattr(sys.modules["textgen.training"], "train", leave)

    def run(*arguments, **changed):
        outcome.update(changed)
        assert main([*COMMAND, *arguments]) == 0
        return capsys.readouterr().err

    return run


def test_advice_comes_before_the_next_commands(finish):
    """A run that ended too early ends with advice, followed by the commands to try."""
    *_, heading, advice, following, _, _, _ = finish().splitlines()
    assert heading == "Advice:"
    assert advice.startswith("  The model was still learning when training ended, after 0.0054 of the")
    assert advice.endswith(": train longer with --minutes 1")
    assert following == "Next:"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [(["--json"], {}), ([], {"damaged": True}), ([], {"status": "stopped"})],
)
def test_no_advice(finish, arguments, options):
    """There is no advice with --json and on a job that is not finished; and if it cannot be found, training has not failed."""
    assert "Advice" not in finish(*arguments, **options)


def test_no_advice_in_a_cloud_job(finish, monkeypatch):
    """Nobody reads the log of a cloud job as it ends."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "7")
    assert "Advice" not in finish()


@pytest.mark.slow
def test_following_the_advice_makes_a_better_model(book):
    """The advice of a real run is a flag that works as printed: the job resumes with it, and gets a lower validation loss."""
    command = ["book.txt", "--lstm_state_size=16", "--max_steps=20", "--job_dir=job", "--sample_length=0"]
    done = run_installed("textgen-train", *command, cwd=book.parent)
    metrics = book.parent / "job" / "metrics.jsonl"
    before = best_evaluation(read_metrics(metrics))["valid_loss"]
    (flags,) = re.findall(r"train longer with (--max_steps \d+)$", done.stderr, re.MULTILINE)
    again = run_installed("textgen-train", *command, *flags.split(), cwd=book.parent)
    assert again.returncode == 0, again.stderr
    assert "Resuming from step 20" in again.stderr
    assert best_evaluation(read_metrics(metrics))["valid_loss"] < before - 0.1
    assert "still learning" not in again.stderr
