import json
import resource

import pytest

from textgen.errors import InputOutputError
from textgen.jobs import CheckpointStore, JobState

SETTINGS = {"max_steps": 30, "eval_steps": 5, "sample_length": 200}


@pytest.fixture
def full_disk():
    """Makes functions of an evaluation's number: no file can grow from the first number until just before the last.

    The kernel refuses such writes as it does on a full disk, TensorBoard's too; no file that training writes is so small.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def between(first, last=10**9):
        def at_evaluation(number):
            limit = 100 if first <= number < last else before[0]
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))

        return at_evaluation

    yield between
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def steps_of(job):
    return [json.loads(line)["steps"] for line in job.metrics.read_text().splitlines()]


def test_training_continues_while_the_disk_is_full(run, begun, full_disk, last_bytes):
    """Each failed save is a warning; once there is space again, the job is complete."""
    _, undisturbed, _ = begun("undisturbed", **SETTINGS)
    _, job, said = run("job", at_evaluation=full_disk(2, 4), **SETTINGS)
    assert said.count("the next save tries again: cannot write") == 2
    assert said.count("cannot write TensorBoard's files") == 1
    assert "(since step 10)" in said
    assert JobState.read(job.state).status == "finished"
    assert last_bytes(job) == last_bytes(undisturbed)
    assert job.samples.read_text() == undisturbed.samples.read_text()
    assert job.model.read_bytes() == undisturbed.model.read_bytes()
    assert steps_of(job) == steps_of(undisturbed)


def test_a_last_save_that_fails_is_an_error_and_the_one_before_stays(run, begun, full_disk, tmp_path, last_bytes):
    """Once there is space, the job resumes from its last checkpoint and ends like an undisturbed one."""
    _, undisturbed, _ = begun("undisturbed", **SETTINGS)
    with pytest.raises(InputOutputError, match="the last save, of step 30, is incomplete: cannot write"):
        run("job", at_evaluation=full_disk(5), **SETTINGS)
    assert CheckpointStore(tmp_path / "job" / "checkpoints").steps()[0] == 20

    full_disk(1, last=1)(1)
    _, job, said = run("job", **SETTINGS)
    assert "Resuming from step 20" in said
    assert last_bytes(job) == last_bytes(undisturbed)
    assert job.samples.read_text() == undisturbed.samples.read_text()
    assert steps_of(job) == steps_of(undisturbed)
    assert not list(job.root.rglob("*.tmp"))
