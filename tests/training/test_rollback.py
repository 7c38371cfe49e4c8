import math
import weakref

import pytest

from textgen.errors import DivergedError
from textgen.jobs import Checkpoint, CheckpointStore, JobState
from textgen.model import LanguageModel
from textgen.training import attempt

DIVERGES = {"learning_rate": 0.05, "weight_decay": 60, "lr_decay_steps": 10**6, "save_steps": 20, "max_steps": 200}
"""Each step multiplies the weights by 1 - 0.05 * 60 = -2, which soon overflows; at half the rate by -0.5."""


def test_a_diverging_run_resumes_from_the_last_checkpoint_with_half_the_learning_rate(run, begun):
    """After a rollback the job finishes, reports what it did, and keeps the halved rate when it resumes later."""
    summary, job, said = begun(**DIVERGES)
    assert said.count("with half the learning rate (1 of at most 2 times)") == 1
    assert "Resuming from step 20" in said
    assert summary["steps"] == 200
    assert math.isfinite(summary["valid_loss"])
    assert summary["learning_rate"] == 0.025
    assert JobState.read(job.state).status == "finished"

    summary, _, said = run(**{**DIVERGES, "max_steps": 220})
    assert "diverged" not in said
    assert summary["learning_rate"] == 0.025


def test_before_the_first_checkpoint_it_starts_over(run):
    """Without a checkpoint the job returns to its start."""
    summary, _, said = run(**{**DIVERGES, "save_steps": None})
    assert "(1 of at most 2 times)" in said
    assert "Resuming from step" not in said
    assert summary["learning_rate"] == 0.025


def test_another_learning_rate_is_taken_as_it_is(run, begun):
    """A rate lowered by the user is not halved."""
    begun(**DIVERGES)
    summary, _, _ = run(**{**DIVERGES, "learning_rate": 0.001, "max_steps": 220})
    assert summary["learning_rate"] == 0.001


@pytest.mark.parametrize(("allowed", "said"), [(0, ""), (2, " with a learning rate of .*, halved 2 times")])
def test_it_gives_up_after_so_many_times(run, allowed, said):
    """The error says how often the rate was halved, and what to change."""
    settings = {**DIVERGES, "weight_decay": 1000, "max_rollbacks": allowed}
    with pytest.raises(DivergedError, match=rf"diverged at step \d+{said}.*: .* lower learning_rate"):
        run(**settings)


def test_the_checkpoint_that_a_run_resumes_from_is_freed(run, monkeypatch):
    """Its tensors take three times the memory of the weights, and nothing needs them once they are in the model."""
    newest = CheckpointStore.newest
    read: list[weakref.ref[Checkpoint]] = []

    def read_newest(*arguments):
        checkpoint = newest(*arguments)
        if checkpoint is not None:
            read.append(weakref.ref(checkpoint))
        return checkpoint

    monkeypatch.setattr(CheckpointStore, "newest", read_newest)
    alive: list[bool] = []
    for steps in (6, 12):
        run(max_steps=steps, at_evaluation=lambda _: alive.extend(checkpoint() is not None for checkpoint in read))
    assert alive == [False]


def test_the_diverged_model_is_freed_before_the_next_is_built(run, monkeypatch):
    """So a rollback takes no more memory than a run that never diverges."""
    compile_model = attempt.compile_model
    built: list[weakref.ref[LanguageModel]] = []
    alive: list[int] = []

    def compile_and_count(*arguments):
        alive.append(sum(model() is not None for model in built))
        model = compile_model(*arguments)
        built.append(weakref.ref(model))
        return model

    monkeypatch.setattr(attempt, "compile_model", compile_and_count)
    run(**DIVERGES)
    assert alive == [0, 0]
