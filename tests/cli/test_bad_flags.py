from pathlib import Path

import pytest

from tests.commands import needs_permissions
from textgen.cli import train

pytestmark = pytest.mark.usefixtures("good_text", "no_training")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layrs=2"], "unknown argument --layrs; did you mean --layers?"),
        (["--lstm-state-sise", "3"], "did you mean --lstm_state_size?"),
        (["--x"], "unknown argument --x;"),
        (["-x"], "unknown argument -x;"),
        (["--layers"], "needs a value"),
        (["--layers="], "--layers must be a whole number, got ''"),
        (["--layers=1e3"], "--layers must be a whole number, got '1e3'"),
        (["--layers=--"], "--layers must be a whole number, got '--'"),
        (["--layers=0"], "--layers must be at least 1 and at most 64, got 0"),
        (["--layers=-1"], "got -1"),
        (["--layers=65"], "got 65"),
        (["--layers=1" + 400 * "0"], "--layers must be at least 1 and at most 64"),
        (["--layers=1" + 5000 * "0"], "--layers must be a whole number"),
        (["--lstm_state_size=99999999"], "at most 16,384, got 99999999"),
        (["--epochs=1" + 400 * "0"], "--epochs must be at least 1 and at most"),
        (["--max_steps=0"], "--max_steps must be at least 1"),
        (["--vocab_size=1"], "--vocab_size must be at least 2"),
        (["--seed=4294967296"], "--seed must be at least 0 and at most"),
        (["--dropout=1"], "--dropout must be at least 0 and below 1, got 1"),
        (["--dropout=nan"], "--dropout must be"),
        (["--learning_rate=inf"], "--learning_rate must be above 0 and at most 1,000, got inf"),
        (["--learning_rate=1e999"], "--learning_rate must be above 0 and at most 1,000, got inf"),
        (["--learning_rate=0"], "--learning_rate must be above 0"),
        (["--learning_rate=0,5"], "--learning_rate must be a number, got '0,5'"),
        (["--minutes=-5"], "--minutes must be above 0"),
        (["--clip_gradients=off"], "--clip_gradients must be a number"),
        (["--layers=none"], "--layers must be a whole number, got 'none'"),
        (["--valid_fraction=0.9"], "at most 0.5"),
        (["--language_model=words"], "did you mean word?"),
        (
            ["--optimizer=AdamW"],
            "--optimizer must be one of adam, adamw, rmsprop, sgd, got 'AdamW'; did you mean adamw?",
        ),
        (["--layer_norm=maybe"], "--layer_norm must be true or false"),
        (["--layer_norm", "--num_proj=3"], "cannot be combined"),
        (["--no-layers"], "unknown argument --no-layers"),
        (["--help=me"], "ignored explicit argument 'me'"),
        (["--devices=two"], "--devices must be a whole number or all, got 'two'"),
        (["--devices=0"], "--devices must be at least 1 and at most 1,024, got 0"),
        (["--devices=none", "--devices=1.5"], "--devices must be a whole number or all, got '1.5'"),
        (
            ["--devices=3", "--batch_size=16"],
            "--batch_size must be a multiple of the number of devices, 3, got 16; use --batch_size 18, or --devices 2",
        ),
        (["--devices=32", "--batch_size=16"], "32, got 16; use --batch_size 32, or --devices 16"),
        (
            ["--devices=2", "--device=cpu"],
            "--devices 2 and --device cpu cannot be combined, because the cores of a CPU are one device",
        ),
        (["--config="], "--config must not be empty"),
        (["--config=a\0b"], "--config must be text, got NUL"),
        (["--job_dir="], "--job_dir must not be empty"),
        (["--job_dir=a\0b"], "--job_dir must be text, got NUL"),
        (["--job_dir=gs://b/job"], "a place in a bucket must be gs://BUCKET/PATH, the bucket in"),
        (
            ["--job_dir=~/job"],
            "--job_dir must not begin with ~, got ~/job, because only a shell knows ~; write the path in full",
        ),
        (["--summary_dir=~"], "--summary_dir must not begin with ~, got ~"),
        (["--job_dir=s3://bucket/job"], "a local path or gs://BUCKET/PATH, got s3://bucket/job"),
        (["--summary_dir=hdfs://x/%JOB%"], "a local path or gs://BUCKET/PATH, got hdfs://x/good-"),
        (["--config=s3://bucket/x.yaml"], "a local path or gs://BUCKET/PATH, got s3://bucket/x.yaml"),
        (["--job_dir=good.txt"], "--job_dir must be a directory, got good.txt"),
        (["--job_dir=good.txt/a/b"], "--job_dir must be a directory, got good.txt/a/b, but good.txt is not one"),
        (["--job_dir=broken/a"], "--job_dir must be a directory, got broken/a, but broken is not one"),
        (["--summary_dir="], "--summary_dir must not be empty"),
        (["--summary_dir=gs:///logs"], "a place in a bucket must be gs://BUCKET/PATH, the bucket in"),
        (["--summary_dir=good.txt/%JOB%"], "--summary_dir must be a directory"),
        (["--fresh", "--job_dir=."], "--fresh cannot rename .; give --job_dir the name of that directory"),
        (
            ["--fresh", "--job_dir=mine"],
            "--fresh would rename all of mine, including what is not part of a job: 'letter.txt'; move it elsewhere",
        ),
    ],
)
def test_a_wrong_flag_is_refused(arguments, message, refusal):
    """An unknown flag, and a value of the wrong type or out of range, ends with 2; the line has flag, rule and value."""
    Path("broken").symlink_to("nowhere")
    Path("mine").mkdir()
    Path("mine", "letter.txt").touch()
    code, line = refusal(train, ["good.txt", *arguments])
    assert (code, message in line) == (2, True), line


@pytest.mark.parametrize("flag", ["--job_dir", "--summary_dir"])
def test_a_name_that_is_too_long_is_refused(flag, refusal):
    """A path that is too long for the file system ends with 74."""
    assert refusal(train, ["good.txt", f"{flag}={'x' * 300}"])[0] == 74
    assert refusal(train, ["good.txt", f"{flag}={'x/' * 5000}"])[0] == 74


@needs_permissions
@pytest.mark.parametrize("flag", ["", "--config=", "--job_dir=", "--summary_dir="])
def test_files_without_permission_are_refused(flag, refusal):
    """A file that the user may not read, or a directory that the user may not write to, ends with 77."""
    Path("mine").mkdir() if flag.endswith("dir=") else Path("mine").touch()
    Path("mine").chmod(0)
    assert refusal(train, ["good.txt", f"{flag}mine"])[0] == 77
