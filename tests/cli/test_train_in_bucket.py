import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import paused_trainer
from tests.commands import TEXT, installed
from textgen.cli import train
from textgen.jobs import Events, JobDirectory, job_place
from textgen.runs.run import open_summaries
from textgen.storage import mirror

pytestmark = pytest.mark.cloud

SETTINGS = [
    *("--lstm_state_size=8", "--batch_size=4", "--unroll_steps=16", "--sample_length=10", "--max_steps=2500"),
    *("--eval_steps=500", "--save_steps=100", "--deterministic", "--dropout=0.2"),
]
NAME = "book-8-states-1-layers"
MACHINE = ("TEXTGEN_CACHE", "TEXTGEN_STATE")
"""The variables that name the local directories of a machine."""
PLACE = f"gs://{{}}/job/{NAME}"
PAUSED_TRAINER = str(Path(paused_trainer.__file__))
CLUSTER_SPEC = '{"cluster": {"workerpool0": ["cmle-7-0:2222"]}, "task": {"type": "workerpool0", "index": 0}}'
HANG_SECONDS = 300.0
"""Longer than anything here takes, even on a busy machine."""


@pytest.fixture
def text(bucket, book):
    """The URI of a gzipped text in the bucket; the current folder is empty."""
    bucket.blob("texts/book.txt.gz").upload_from_string(gzip.compress(book.read_bytes()))
    book.unlink()
    return f"gs://{bucket.name}/texts/book.txt.gz"


def run(*arguments, cache, **environment):
    """Runs a trainer with its local directories at `cache`; returns its exit code and its output on both streams."""
    done = subprocess.run(
        [*installed("textgen-train"), *arguments],
        env={**os.environ, **dict.fromkeys(MACHINE, str(cache)), **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def paused(text, bucket, tmp_path):
    """A function that starts a trainer and returns its process once the first checkpoint is in the bucket.

    The trainer is paused within that save until it gets a signal.
    """
    processes = []

    def start(*arguments, to_be_killed=0, **environment):
        process = subprocess.Popen(
            [
                sys.executable,
                PAUSED_TRAINER,
                str(to_be_killed),
                *SETTINGS,
                *arguments,
                f"--job_dir={PLACE.format(bucket.name)}",
            ],
            env={**os.environ, **dict.fromkeys(MACHINE, str(tmp_path / "cache")), **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        end = time.monotonic() + HANG_SECONDS
        while newest_step(bucket) == 0 and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def state(bucket):
    """Returns the state of the job in the bucket."""
    return json.loads(bucket.blob(f"job/{NAME}/state.json").download_as_bytes())


RESTARTED = "Vertex AI restarts the job, which then resumes; if it does not, submit it again"


@pytest.mark.parametrize(
    ("environment", "code", "advice"),
    [
        pytest.param({}, 75, "run the same command again to resume", marks=pytest.mark.slow),
        ({"CLOUD_ML_JOB_ID": "7"}, 134, RESTARTED),
        pytest.param({"CLUSTER_SPEC": CLUSTER_SPEC}, 134, RESTARTED, marks=pytest.mark.slow),
    ],
    ids=["at home", "in the cloud", "in the cloud, without a job's id"],
)
def test_sigterm_waits_for_the_last_upload(text, bucket, paused, environment, code, advice):
    """After SIGTERM a trainer ends once everything is uploaded, in a cloud job with an exit code that Vertex AI retries."""
    process = paused(text, **environment)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == code, err
    last = err.splitlines()[-1]
    if environment:
        entry = json.loads(last)
        assert (entry["severity"], entry["exit_code"]) == ("NOTICE", code)
        last = entry["message"]
    step = newest_step(bucket)
    assert last == f"textgen-train: stopped at step {step}, which is saved; {advice}"
    assert (state(bucket)["steps"], state(bucket)["status"]) == (step, "stopped")


@pytest.mark.slow
def test_a_preempted_job_waits_to_be_killed(text, bucket, paused):
    """After SIGTERM a cloud job saves and waits for SIGKILL, because Vertex AI restarts preempted jobs more often."""
    process = paused(text, to_be_killed=10 * HANG_SECONDS, CLOUD_ML_JOB_ID="7")
    process.send_signal(signal.SIGTERM)
    for line in process.stderr:
        if "stopped at step" in line:
            break
    assert state(bucket)["status"] == "stopped"
    process.send_signal(signal.SIGTERM)
    process.kill()
    assert process.wait(HANG_SECONDS) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("number", "environment"),
    [(signal.SIGINT, {}), pytest.param(signal.SIGTERM, {"CLOUD_ML_JOB_ID": "7"}, marks=pytest.mark.slow)],
    ids=["Ctrl-C at home", "SIGTERM in the cloud"],
)
def test_a_signal_during_the_last_save_abandons_nothing(text, bucket, paused, number, environment):
    """A signal during the last save does not stop the job, which finishes with all of its uploads."""
    process = paused(text, "--max_steps=84", "--eval_steps=84", "--save_steps=none", **environment)
    process.send_signal(number)
    _, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, err
    assert newest_step(bucket) == 84
    assert (state(bucket)["steps"], state(bucket)["status"]) == (84, "finished")
    assert bucket.blob(f"job/{NAME}/model.safetensors").exists()


@pytest.mark.slow
def test_a_signal_before_the_test_text_abandons_nothing(bucket, paused, tmp_path):
    """A signal before the evaluation of the test text stops the job with its last checkpoint uploaded."""
    for part in ("train", "valid", "test"):
        bucket.blob(f"texts/parts/book.{part}.txt").upload_from_string(TEXT)
    process = paused(
        "--data_dir", f"gs://{bucket.name}/texts/parts", "--data_prefix=book", "--max_steps=84", "--save_steps=none"
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 75, err
    assert err.splitlines()[-1].startswith(
        "textgen-train: stopped at step 84, which is saved, before the test text was "
    )
    assert newest_step(bucket) == 84
    assert (state(bucket)["steps"], state(bucket)["status"]) == (84, "stopped")


def test_a_missing_text_is_one_line(text, bucket, training, capsys):
    """A text, folder or bucket that does not exist is refused in one line, and nothing is written to the bucket."""
    for argument in (f"gs://{bucket.name}/absent.txt", f"gs://{bucket.name}/job/", "gs://no-such-bucket/a.txt"):
        assert train.main([argument, f"--job_dir=gs://{bucket.name}/job/%JOB%"]) == 66
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert argument.rstrip("/").split("/")[2] in err
    assert [blob.name for blob in bucket.list_blobs()] == ["texts/book.txt.gz"]


def test_a_dry_run_writes_nothing(text, bucket, training, capsys):
    """A dry run prints the URI of the job directory and writes nothing to the bucket."""
    assert train.main([text, f"--job_dir=gs://{bucket.name}/job/%JOB%", "--lstm_state_size=8", "--dry_run"]) == 0
    assert f"gs://{bucket.name}/job/{NAME} (new)" in capsys.readouterr().err
    assert [blob.name for blob in bucket.list_blobs()] == ["texts/book.txt.gz"]


def test_fresh_renames_the_job_in_the_bucket(text, bucket, training, capsys):
    """--fresh renames a job in a bucket, and prints the new name."""
    place = f"gs://{bucket.name}/job/book"
    for _ in range(2):
        assert train.main([text, f"--job_dir={place}", "--fresh"]) == 0
    err = capsys.readouterr().err
    assert f"The old job is now {place}.1\n" in err
    assert job_place(f"{place}.1").look().exists
    assert f"textgen-sample {place}\n" in err
    assert f"tensorboard --logdir {place}/logs\n" in err


def test_curves_go_to_a_bucket_of_their_own(text, bucket, training, tmp_path):
    """A local job can write its TensorBoard logs to a bucket."""
    write = training.train

    def train_and_write(*arguments, summary_dir, **options):
        (summary_dir / "train").mkdir(parents=True, exist_ok=True)
        (summary_dir / "train" / "events").write_text("a curve")
        return write(*arguments, summary_dir=summary_dir, **options)

    sys.modules["textgen.training"].train = train_and_write  # type: ignore[attr-defined]
    assert train.main([text, "--job_dir=local", f"--summary_dir=gs://{bucket.name}/curves"]) == 0
    assert bucket.blob("curves/train/events").download_as_bytes() == b"a curve"
    assert list((tmp_path / "state").rglob("events"))  # the local copy, which is needed until the upload is complete
    assert not (tmp_path / "local" / "logs").exists()


def test_two_jobs_can_write_their_curves_to_one_place(bucket, tmp_path):
    """Two jobs on one machine can write their curves to one place at the same time; each uploads only its own."""
    place = f"gs://{bucket.name}/curves"
    events = Events(say=pytest.fail, warn=pytest.fail, lost=lambda error: pytest.fail(str(error)), finish=lambda: None)
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            local = stack.enter_context(open_summaries(place, JobDirectory(tmp_path / name), events))
            assert not local.exists()
            local.mkdir(parents=True)
            (local / f"events.{name}").write_text(name)
            (local / f".half.{name}.tmp").touch()  # which is being written
    assert {blob.name for blob in bucket.list_blobs(prefix="curves/")} == {"curves/events.one", "curves/events.two"}


def test_a_lost_permission_ends_training(text, bucket, front, training, monkeypatch, capsys):
    """If uploads are refused for too long, training ends with 77; one line names the local copy, which is complete."""
    monkeypatch.setattr(mirror, "_INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(mirror, "_REFUSAL_SECONDS", 0.0)
    write = training.train

    def train_until_stopped(config, corpus, job, *, signals, **options):
        front.rule = lambda method, _: "forbid" if method == "POST" else None
        write(config, corpus, job, signals=signals, **options)
        signals.hold()
        end = time.monotonic() + HANG_SECONDS
        while signals.received is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        raise signals.error("stopped")

    sys.modules["textgen.training"].train = train_until_stopped  # type: ignore[attr-defined]
    assert train.main([text, f"--job_dir=gs://{bucket.name}/job"]) == 77
    [error] = [line for line in capsys.readouterr().err.splitlines() if "refused" in line]
    assert error.startswith("textgen-train: error: uploads have been refused for 0 minutes: cannot write gs://")
    [advice] = re.findall(
        r"; ask for the role Storage Object User; it is all in (.*); train again on this machine", error
    )
    assert (Path(advice) / "config.yaml").exists()


def test_flags_win_over_the_environment(text, bucket, training, monkeypatch, tmp_path):
    """In a job of Vertex AI, --job_dir takes precedence over AIP_CHECKPOINT_DIR."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "7")
    monkeypatch.setenv("AIP_CHECKPOINT_DIR", f"gs://{bucket.name}/job/checkpoints/")
    assert train.main([text, "--job_dir=local"]) == 0
    assert (tmp_path / "local" / "config.yaml").exists()
    assert train.main([text]) == 0
    assert bucket.blob("job/config.yaml").exists()


@pytest.mark.parametrize(("name", "value"), [("CLOUD_ML_JOB_ID", "7"), ("CLUSTER_SPEC", CLUSTER_SPEC)])
def test_a_job_of_vertex_ai_does_not_start_over(text, training, monkeypatch, capsys, name, value):
    """--fresh is refused in a job of Vertex AI, because each restart would start over."""
    monkeypatch.setenv(name, value)
    assert train.main([text, "--fresh"]) == 2
    assert "--fresh would start over whenever Vertex AI restarts the job" in capsys.readouterr().err


def newest_step(bucket):
    """Returns the step of the newest checkpoint in the bucket, or 0 if there is none."""
    names = [Path(blob.name) for blob in bucket.list_blobs(prefix=f"job/{NAME}/checkpoints/")]
    return max((int(name.stem.removeprefix("step-")) for name in names if name.suffix == ".json"), default=0)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [(["--layers=0"], "UsageError", 2), (["--colour=red"], "UsageError", 2), (["absent.txt"], "MissingError", 66)],
)
def test_an_invalid_job_ends_before_tensorflow_is_loaded(tmp_path, arguments, kind, code):
    """An invalid cloud job ends before TensorFlow is loaded, with a log entry of its error's class and exit code."""
    guard = tmp_path / "tensorflow.py"
    guard.write_text("raise SystemExit('TensorFlow was loaded')")
    environment = {"CLOUD_ML_JOB_ID": "7", "PYTHONPATH": str(tmp_path)}
    found, out, err = run(*arguments, cache=tmp_path / "cache", **environment)
    assert (found, out) == (code, "")
    entry = json.loads(err.splitlines()[-1])
    assert (entry["severity"], entry["error"], entry["exit_code"]) == ("ERROR", kind, code)
    assert entry["message"].startswith(f"textgen-train: {kind}: ")


def test_the_log_of_a_job_has_numbers(text, tmp_path):
    """The log of a cloud job has an entry for each evaluation, with step and losses, and one that names the device."""
    code, _, err = run(
        text, *SETTINGS, "--max_steps=84", "--job_dir=local", cache=tmp_path / "cache", CLOUD_ML_JOB_ID="7"
    )
    assert code == 0, err
    entries = [json.loads(line) for line in err.splitlines()]
    assert {entry["severity"] for entry in entries} == {"INFO"}
    assert any(entry["message"].startswith("Training on ") for entry in entries)
    scored = next(entry for entry in entries if "valid_loss" in entry)
    assert scored["step"] == 84
    assert 0 < scored["valid_loss"] < 10
    assert 0 < scored["loss"] < 10
