import gzip
import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from textgen.cli import train
from textgen.jobs import job_place

pytestmark = pytest.mark.cloud

SETTINGS = [
    *("--lstm_state_size=8", "--batch_size=4", "--unroll_steps=16", "--sample_length=10", "--max_steps=2500"),
    *("--eval_steps=500", "--save_steps=100", "--deterministic", "--dropout=0.2"),
]
NAME = "book-8-states-1-layers"


@pytest.fixture
def text(bucket, book):
    """The URI of a text, gzip, in the bucket; the current folder has none."""
    bucket.blob("texts/book.txt.gz").upload_from_string(gzip.compress(book.read_bytes()))
    book.unlink()
    return f"gs://{bucket.name}/texts/book.txt.gz"


def start(*arguments, cache, **environment):
    """Starts a trainer on a machine whose disk is `cache`."""
    command = [sys.executable, str(Path(sysconfig.get_path("scripts"), "textgen-train")), *arguments]
    variables = {**os.environ, "TEXTGEN_CACHE": str(cache), **environment}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments, cache, **environment):
    with start(*arguments, cache=cache, **environment) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_sigterm_waits_for_the_last_upload(text, bucket, tmp_path):
    """What a preempted trainer has saved is in the bucket when it has ended, whatever the clock of its uploads."""
    place = f"gs://{bucket.name}/job/{NAME}"
    with start(text, *SETTINGS, f"--job_dir={place}", cache=tmp_path / "cache") as process:
        for line in iter(process.stderr.readline, ""):
            if line.startswith("step 504"):
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read()
    assert process.returncode == 75, rest
    step = int(rest.split("stopped at step ")[1].split(",")[0].replace(",", ""))
    assert newest_step(bucket) == step
    assert json.loads(bucket.blob(f"job/{NAME}/state.json").download_as_bytes())["steps"] == step


def test_a_text_that_is_not_there_is_one_line(text, bucket, training, capsys):
    """So is a folder without texts; nothing has been made in the bucket."""
    for argument in (f"gs://{bucket.name}/absent.txt", f"gs://{bucket.name}/job/", "gs://no-such-bucket/a.txt"):
        assert train.main([argument, f"--job_dir=gs://{bucket.name}/job/%JOB%"]) == 66
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert argument.rstrip("/").split("/")[2] in err
    assert [blob.name for blob in bucket.list_blobs()] == ["texts/book.txt.gz"]


def test_a_dry_run_makes_nothing(text, bucket, training, capsys):
    """The plan names the place in the bucket."""
    assert train.main([text, f"--job_dir=gs://{bucket.name}/job/%JOB%", "--lstm_state_size=8", "--dry_run"]) == 0
    assert f"gs://{bucket.name}/job/{NAME} (new)" in capsys.readouterr().err
    assert [blob.name for blob in bucket.list_blobs()] == ["texts/book.txt.gz"]


def test_fresh_moves_the_job_aside_in_the_bucket(text, bucket, training, capsys):
    """It is found again under the name that is said."""
    place = f"gs://{bucket.name}/job/book"
    for _ in range(2):
        assert train.main([text, f"--job_dir={place}", "--fresh"]) == 0
    err = capsys.readouterr().err
    assert f"The old job is now {place}.1\n" in err
    assert job_place(f"{place}.1").look().exists
    assert f"textgen-sample {place}\n" in err
    assert f"tensorboard --logdir {place}/logs\n" in err


def test_curves_go_to_a_bucket_of_their_own(text, bucket, training, tmp_path):
    """A local job can have its curves in a bucket, where others see them."""
    write = training.train

    def train_and_write(*arguments, summary_dir, **options):
        (summary_dir / "train").mkdir(parents=True, exist_ok=True)
        (summary_dir / "train" / "events").write_text("a curve")
        return write(*arguments, summary_dir=summary_dir, **options)

    sys.modules["textgen.training"].train = train_and_write  # type: ignore[attr-defined]
    assert train.main([text, "--job_dir=local", f"--summary_dir=gs://{bucket.name}/curves"]) == 0
    assert bucket.blob("curves/train/events").download_as_bytes() == b"a curve"
    assert not (tmp_path / "local" / "logs").exists()


def test_flags_win_over_the_environment(text, bucket, training, monkeypatch, tmp_path):
    """In a job of Vertex AI, too, what is asked for is done."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "7")
    monkeypatch.setenv("AIP_CHECKPOINT_DIR", f"gs://{bucket.name}/job/checkpoints/")
    assert train.main([text, "--job_dir=local"]) == 0
    assert (tmp_path / "local" / "config.yaml").exists()
    assert train.main([text]) == 0
    assert bucket.blob("job/config.yaml").exists()


def test_a_job_of_vertex_ai_does_not_begin_anew(text, training, monkeypatch, capsys):
    """With --fresh each restart would."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "7")
    assert train.main([text, "--fresh"]) == 2
    assert "--fresh would start over whenever Vertex AI restarts the job" in capsys.readouterr().err


def newest_step(bucket):
    """The step of the newest checkpoint in the bucket; 0 where there is none."""
    names = [Path(blob.name) for blob in bucket.list_blobs(prefix=f"job/{NAME}/checkpoints/")]
    return max((int(name.stem.removeprefix("step-")) for name in names if name.suffix == ".json"), default=0)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [(["--layers=0"], "UsageError", 2), (["--colour=red"], "UsageError", 2), (["absent.txt"], "MissingError", 66)],
)
def test_a_job_that_cannot_be_ends_before_tensorflow_is_loaded(tmp_path, arguments, kind, code):
    """Each restart costs seconds; the entry for the log names the class, and its message what to do."""
    guard = tmp_path / "tensorflow.py"
    guard.write_text("raise SystemExit('TensorFlow was loaded')")
    environment = {"CLOUD_ML_JOB_ID": "7", "PYTHONPATH": str(tmp_path)}
    found, out, err = run(*arguments, cache=tmp_path / "cache", **environment)
    assert (found, out) == (code, "")
    entry = json.loads(err.splitlines()[-1])
    assert (entry["severity"], entry["error"], entry["exit_code"]) == ("ERROR", kind, code)
    assert entry["message"].startswith(f"textgen-train: {kind}: ")


def test_the_log_of_a_job_has_figures(text, tmp_path):
    """Each evaluation is an entry with the step and the losses; the device stands among the first."""
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
