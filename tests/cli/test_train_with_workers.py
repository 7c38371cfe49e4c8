import numpy as np
import pytest

from tests.with_workers import SETTINGS, last_state, run
from textgen.cli import train


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_workers_train_what_one_process_trains(book, count):
    """After 50 steps, two or three processes have the weights and states of one with the joint batch, to 1e-4, and all the same."""
    arguments = ["--dropout=0", "--max_steps=50"]
    run(*arguments, "--job_dir=one")
    shown = run(*arguments, "--job_dir=several", f"--workers={count}")
    one, several = last_state("one"), last_state("several")
    assert one.keys() == several.keys()
    for name, value in one.items():
        np.testing.assert_allclose(several[name], value, atol=1e-4, err_msg=name)
    assert shown.count("Training on") == 1
    assert "warning" not in shown  # of a worker that has other weights


@pytest.mark.slow
@pytest.mark.cloud
def test_workers_train_a_job_in_a_bucket(book, bucket):
    """With a job in a bucket, the workers on this machine read the ids from its cache, and nothing but the job is uploaded."""
    shown = run("--max_steps=20", "--workers=2", f"--job_dir=gs://{bucket.name}/job")
    names = {blob.name for blob in bucket.list_blobs()}
    assert "job/model.safetensors" in names, shown
    assert all(name.startswith("job/") for name in names)


def test_a_batch_that_workers_cannot_share_is_refused(book, refusal, no_training):
    """More workers than streams, or a number that does not divide them, is refused before any process is started."""
    for count, batch_size, fewer in ((4, 8, 3), (7, 7, 6)):
        code, line = refusal(train, [*SETTINGS, f"--workers={count}"])
        assert code == 2
        assert line == (
            f"--batch_size must be a multiple of the number of workers, {count}, got 6; use --batch_size {batch_size}, or --workers {fewer}\n"
        )


def test_workers_of_one_machine_do_not_share_its_gpus(book, refusal, no_training):
    """Several processes on one machine train on its processor, because one process uses all GPUs."""
    code, line = refusal(train, [*SETTINGS, "--workers=2", "--device=gpu"])
    assert code == 2
    assert line.startswith("--workers 2 would let 2 processes use the same GPUs; leave it out")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "{",
            "the environment variable TF_CONFIG must be JSON, got '{'; correct it, or unset it to train in one process",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            "the environment variable TF_CONFIG must have a task that is in its cluster, got 'worker 2'; correct it, or unset it to train in one process",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}',
            "--workers is 3, but the environment variable TF_CONFIG names 2 processes; leave out --workers, or unset TF_CONFIG",
        ),
    ],
)
def test_a_wrong_cluster_is_refused(book, refusal, no_training, monkeypatch, value, message):
    """A TF_CONFIG that is no JSON, does not contain its own task, or contradicts --workers is refused in one line."""
    monkeypatch.setenv("TF_CONFIG", value)
    assert refusal(train, [*SETTINGS, "--workers=3"]) == (2, f"{message}\n")


def test_one_worker_is_an_ordinary_run(book, training, monkeypatch):
    """With --workers 1, or a TF_CONFIG of a single machine, no other process is started."""
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}')
    assert train.main([*SETTINGS, "--workers=1"]) == 0
    assert training.calls[0].workers is None
