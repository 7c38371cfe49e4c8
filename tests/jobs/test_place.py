import dataclasses
import json
import shutil
import time
from pathlib import Path

import pytest

from textgen import errors
from textgen.jobs import Events, JobState, job_place
from textgen.storage import lease, mirror

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

STEPS = [10, 20, 30, 40]
HANG_SECONDS = 60.0


@pytest.fixture
def machine(bucket, tmp_path, monkeypatch):
    """A function that changes to a machine with a given name and its own disk; waiting times are short."""
    monkeypatch.setattr(mirror, "_INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 0.5)

    def change(name):
        monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / name / "cache"))
        monkeypatch.setenv("TEXTGEN_STATE", str(tmp_path / name / "state"))

    change("first")
    return change


@pytest.fixture
def uri(bucket, machine):
    return f"gs://{bucket.name}/jobs/book"


@pytest.fixture
def said():
    return []


@pytest.fixture
def events(said):
    return Events(said.append, pytest.fail, lambda failure: pytest.fail(str(failure)), lambda: None)


def work(job, step):
    """Writes the files of a trainer."""
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    job.logs.mkdir(exist_ok=True)
    for path in (job.config, job.vocabulary, job.model):
        path.write_text(f"{path.name} of {step}")
    for path in (job.metrics, job.samples, job.logs / f"events.{step}"):
        with path.open("a") as file:
            file.write(f"{step}\n")
    for kind in ("safetensors", "json"):
        (job.checkpoints / f"step-{step:08}.{kind}").write_text(f"{kind} of {step}")
    for old in sorted(job.checkpoints.glob("*.json"))[:-2]:
        old.unlink()
        old.with_suffix(".safetensors").unlink()
    JobState("stopped", steps=step).write(job.state)


def files(job, *, logs=True):
    paths = (path.relative_to(job.root) for path in job.root.rglob("*") if path.is_file())
    return {
        str(path): (job.root / path).read_text()
        for path in paths
        if path != Path("lock") and (logs or path.parts[0] != "logs")
    }


def in_bucket(bucket):
    blobs = bucket.list_blobs(prefix="jobs/book/")
    found = {blob.name.removeprefix("jobs/book/"): blob.download_as_bytes().decode() for blob in blobs}
    del found["lock"]
    return found


def wait_for(condition):
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_bucket_has_what_the_trainer_left(uri, events, bucket):
    """It has all files, including TensorBoard's, and no old checkpoints."""
    with job_place(uri).open(events) as job:
        assert str(job) == uri
        assert files(job) == {}
        for step in STEPS:
            work(job, step)
    assert in_bucket(bucket) == files(job)
    assert sum("checkpoints/" in name for name in in_bucket(bucket)) == 4


def test_another_machine_resumes_from_the_bucket(uri, events, machine, bucket, said):
    """Everything a trainer needs is restored; TensorBoard's files stay in the bucket, and new ones are added."""
    with job_place(uri).open(events) as first:
        work(first, 10)
    machine("second")
    with job_place(uri).open(events) as job:
        assert job.root != first.root
        assert files(job) == files(first, logs=False)
        work(job, 20)
    assert said == [f"restoring 8 files from {uri}"]
    assert {"logs/events.10", "logs/events.20"} < set(in_bucket(bucket))


def test_the_same_machine_keeps_what_had_not_arrived(uri, events, front, said):
    """After a kill during an outage, the disk is ahead of the bucket, and the next trainer there resumes from the disk."""
    with job_place(uri).open(events) as job:
        work(job, 10)
    work(job, 20)
    with job_place(uri).open(events) as again:
        assert files(again)["state.json"] == job.state.read_text()
        assert JobState.read(again.state).steps == 20
    assert said == []


def test_a_cleaned_cache_takes_no_work(uri, events, tmp_path):
    """Data that is not uploaded yet is not in the cache."""
    with job_place(uri).open(events) as job:
        work(job, 10)
    work(job, 20)
    job_place(uri).look()
    shutil.rmtree(tmp_path / "first" / "cache")
    with job_place(uri).open(events) as again:
        assert JobState.read(again.state).steps == 20


def test_a_copy_that_an_earlier_version_made_in_the_cache_is_found(uri, events, tmp_path, bucket):
    """It is used, with what is not uploaded yet; the next copy is in the new directory."""
    with job_place(uri).open(events) as job:
        work(job, 10)
    work(job, 20)
    state, cache = tmp_path / "first" / "state", tmp_path / "first" / "cache"
    state.rename(cache)
    with job_place(uri).open(events) as found:
        assert found.root.is_relative_to(cache)
        assert JobState.read(found.state).steps == 20
    assert json.loads(in_bucket(bucket)["state.json"])["steps"] == 20
    job_place(uri).move_aside(events)
    with job_place(uri).open(events) as new:
        assert new.root.is_relative_to(state)


@pytest.mark.parametrize(
    "name",
    [
        *("lock", "config.yaml", "vocabulary.json", "model.safetensors", "metrics.jsonl", "state.json"),
        *("samples.txt", "logs/events.10", "checkpoints/step-00000010.json", "checkpoints/step-00000010.safetensors"),
    ],
)
def test_what_somebody_removes_from_the_bucket_comes_back(uri, events, bucket, name):
    """With the next save, also a file that the trainer does not write again; only another trainer ends training."""
    with job_place(uri).open(events) as job:
        work(job, 10)
        wait_for(lambda: "state.json" in in_bucket(bucket))
        bucket.blob(f"jobs/book/{name}").delete()
        JobState("stopped", steps=20).write(job.state)
    assert in_bucket(bucket) == files(job)


def test_a_stale_copy_gives_way_to_what_another_machine_did(uri, events, machine, bucket):
    """The bucket decides; a local copy of an older state is removed."""
    with job_place(uri).open(events) as first:
        work(first, 10)
    machine("second")
    with job_place(uri).open(events) as second:
        for step in STEPS[1:]:
            work(second, step)
    machine("first")
    (first.root / "checkpoints" / "step-00000015.json").write_text("never uploaded")
    with job_place(uri).open(events) as job:
        assert job.root == first.root
        assert files(job) == files(second, logs=False)
    assert in_bucket(bucket)["state.json"] == second.state.read_text()


def test_a_copy_that_is_half_restored_is_not_taken_for_the_newest(uri, events, machine, monkeypatch, tmp_path):
    """The next run does not resume from what a kill during the restoration left."""
    with job_place(uri).open(events) as first:
        work(first, 10)
    machine("second")
    from textgen.jobs import place

    def break_off(*_):
        raise errors.InputOutputError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(place, "write_atomic", break_off)
        with pytest.raises(errors.InputOutputError, match="killed"), job_place(uri).open(events):
            pytest.fail("it began")
    [half] = (tmp_path / "second" / "state").rglob("state.json")
    half.unlink()
    with job_place(uri).open(events) as job:
        assert files(job) == files(first, logs=False)


def test_a_bucket_that_was_emptied_is_a_new_job(uri, events, bucket):
    """A job that was removed from the bucket does not come back."""
    with job_place(uri).open(events) as job:
        work(job, 10)
    for blob in bucket.list_blobs(prefix="jobs/"):
        blob.delete()
    with job_place(uri).open(events) as job:
        assert files(job) == {}


def test_a_local_directory_that_is_emptied_empties_no_bucket(uri, events, bucket):
    """If somebody empties the local copy during a run, the checkpoints in the bucket stay."""
    with job_place(uri).open(events) as job:
        work(job, 10)
        wait_for(lambda: "state.json" in in_bucket(bucket))
        kept = in_bucket(bucket)
        shutil.rmtree(job.checkpoints)
    assert in_bucket(bucket) == kept


@pytest.mark.parametrize("kind", ["safetensors", "json"])
def test_a_local_directory_that_is_half_empty_empties_no_bucket(uri, events, bucket, kind):
    """If the local copy is seen while somebody empties it, with half of a checkpoint, the whole one in the bucket stays."""
    with job_place(uri).open(events) as job:
        work(job, 10)
        wait_for(lambda: "state.json" in in_bucket(bucket))
        kept = in_bucket(bucket)
        (job.checkpoints / f"step-00000010.{kind}").unlink()
    assert in_bucket(bucket) == kept


def test_a_look_reads_what_tells_how_the_job_stands(uri, events, machine):
    """No checkpoint is downloaded, nothing is locked, and files that were removed since the last look are removed here too."""
    assert not job_place(uri).look().exists
    with job_place(uri).open(events) as job:
        work(job, 10)
        job.metrics.unlink()
    machine("second")
    seen = job_place(uri).look()
    assert files(seen) == {path.name: path.read_text() for path in (job.config, job.vocabulary, job.state)}
    assert str(seen) == uri
    job_place(uri).move_aside(events)
    assert files(job_place(uri).look()) == {}


def test_a_job_is_moved_aside_within_the_bucket(uri, events, bucket, said):
    """It gets the first free name, with all its files; the old place and the local copy are empty."""
    for expected in (None, f"{uri}.1", f"{uri}.2"):
        assert job_place(uri).move_aside(events) == expected
        with job_place(uri).open(events) as job:
            assert files(job) == {}
            work(job, 10)
    moved = {blob.name.removeprefix("jobs/book.1/") for blob in bucket.list_blobs(prefix="jobs/book.1/")}
    assert moved == set(files(job))
    assert said == []


def test_what_is_not_the_jobs_is_not_moved_in_a_bucket(uri, events, bucket):
    """Other jobs below the place, say, stay where they are, and so does the job."""
    with job_place(uri).open(events) as job:
        work(job, 10)
    bucket.blob("jobs/book/other-job/config.yaml").upload_from_string("")
    before = {blob.name for blob in bucket.list_blobs()}
    with pytest.raises(errors.UsageError, match=rf"would rename all of {uri}, .*: 'other-job'; move it elsewhere"):
        job_place(uri).move_aside(events)
    assert {blob.name for blob in bucket.list_blobs()} == before


def test_what_had_not_arrived_is_moved_aside_too(uri, events, bucket):
    """Nothing of the old job is lost, not even what an outage has kept on this machine."""
    with job_place(uri).open(events) as job:
        work(job, 10)
    work(job, 20)
    kept = files(job)
    assert job_place(uri).move_aside(events) == f"{uri}.1"
    blobs = bucket.list_blobs(prefix="jobs/book.1/")
    assert {blob.name.removeprefix("jobs/book.1/"): blob.download_as_bytes().decode() for blob in blobs} == kept


def test_two_trainers_do_not_meet(uri, events, machine, bucket):
    """On one machine the kernel's lock keeps them apart, on two the lease; the message names the bucket."""

    def generation():
        return bucket.get_blob("jobs/book/lock").generation

    def wait_for_a_renewal(_):
        seen = generation()
        wait_for(lambda: generation() != seen)

    with job_place(uri).open(events):
        with pytest.raises(errors.LockedError, match=rf"another trainer works in {uri}: process \d+ on "):
            job_place(uri).open(events).__enter__()
        machine("second")
        waiting = dataclasses.replace(events, say=wait_for_a_renewal)
        with pytest.raises(errors.LockedError, match=rf"another trainer works in {uri}: process \d+ on "):
            job_place(uri).open(waiting).__enter__()


def test_a_job_of_the_cloud_is_taken_over_by_its_restart(uri, events, machine, bucket, said):
    """The same worker on a fresh machine neither waits nor is refused."""
    with job_place(uri, "job 7").open(events) as job:
        work(job, 10)
    held = json.loads(bucket.blob("jobs/book/lock").download_as_bytes()) | {"held": True}
    bucket.blob("jobs/book/lock").upload_from_string(json.dumps(held))
    machine("second")
    with job_place(uri, "job 7").open(events) as again:
        assert JobState.read(again.state).steps == 10
    assert said == [f"restoring 8 files from {uri}"]


@pytest.mark.parametrize("uri", ["gs://", "gs://b/job", "gs:///job", "gs://Bucket/job", "gs://bucket/a\nb"])
def test_a_place_that_cannot_be_is_refused_without_asking(uri):
    """In one line."""
    with pytest.raises(errors.UsageError, match=r"^a place in a bucket must be [^\n]*$"):
        job_place(uri)
