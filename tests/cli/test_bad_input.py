import contextlib
import gzip
import io
import os
import random
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from textgen import config
from textgen.cli import main, sample, train

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 100
UTF_16 = TEXT.encode("utf-16-le")
RANDOM = random.Random(1).randbytes(4000)  # noqa: S311 - not a secret

JOB = Path("jobs", "book-8-states-1-layers")
"""Where the fixture `job` leaves one."""

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch, no_training):
    """An empty folder with a good text; loading TensorFlow would be a fault."""
    monkeypatch.chdir(tmp_path)
    Path("good.txt").write_text(TEXT)


@pytest.fixture
def job(trained, tmp_path):
    """The arguments of a small job that was trained on a book; it lies here, too."""
    return trained.copy(tmp_path).command


def everything_here():
    return {path: path.read_bytes() if path.is_file() else None for path in Path().rglob("*")}


@pytest.fixture
def refusal(capsys):
    """A function that runs what must be refused, in one line and leaving nothing behind.

    It returns the exit code and the line without the program's name.
    """

    def refuse(command, arguments):
        before = everything_here()
        code = command(arguments)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        name, line = err.split(": error: ", maxsplit=1)
        assert name == {train.main: "textgen-train", sample.main: "textgen-sample", main.main: "textgen"}[command]
        assert everything_here() == before
        return code, line

    return refuse


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"),
    [
        pytest.param(b"", [], 65, "is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf", [], 65, "is empty", id="only a byte order mark"),
        pytest.param(b"a", [], 65, "more text", id="one character"),
        pytest.param(b"a" * 4000, [], 65, "only one distinct token", id="one distinct character"),
        pytest.param(b"\n" * 4000, ["--language_model=word"], 65, "only one distinct token", id="empty lines"),
        pytest.param(b"ab" * 50, ["--batch_size=16"], 65, "too short: it has 90 tokens, and one step of 16 x 64 tokens needs 1025", id="short"),
        pytest.param(b"ab" * 50, ["--batch_size=16"], 65, "lower --batch_size to 1 or lower --unroll_steps to 5", id="short, with advice"),
        pytest.param(b"ab" * 5, ["--batch_size=16"], 65, "lower --batch_size and --unroll_steps", id="very short"),
        pytest.param(b"ab" * 5, [], 65, "one step of 1 x 64 tokens needs 65; give more text, or lower --unroll_steps to 8", id="very short, settings chosen"),
        pytest.param(b"word " * 500, ["--language_model=word", "--batch_size=32"], 65, "too short: it has 900 tokens", id="few words"),
        pytest.param(b"ab" * 5, ["--batch_size=1", "--unroll_steps=1"], 65, "the validation text must have at least 2 tokens", id="no validation"),
        pytest.param("ab\ncaf\xe9\n".encode("latin-1") * 900, [], 65, "not valid utf-8 at byte 6 (line 2): save it as UTF-8 or say how it is encoded, such as --encoding auto", id="latin-1"),
        pytest.param(b"abc\n" * 900 + b"\xc3", [], 65, "not valid utf-8 at byte 3600 (line 901)", id="cut inside a character"),
        pytest.param(b"\xff\xfe" + UTF_16, [], 65, "begins with the byte order mark of utf-16: add --encoding utf-16", id="UTF-16 with a mark"),
        pytest.param(UTF_16, [], 65, "it has NUL at byte 1 (line 1)", id="UTF-16 without a mark"),
        pytest.param(b"abc\n\0" * 900, [], 65, "is not text, it has NUL at byte 4 (line 2)", id="NUL"),
        pytest.param(RANDOM, [], 65, "not valid utf-8 at byte 0", id="binary"),
        pytest.param(b"PK\x03\x04" + RANDOM, [], 65, "is a ZIP archive, as Word, OpenDocument and EPUB files are, not plain text: open it and save it as plain text", id="ZIP"),
        pytest.param(b"%PDF-1.7\n" + RANDOM, ["--encoding=latin-1"], 65, "is a PDF document, not plain text: open it and save it as plain text", id="PDF"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + RANDOM, [], 65, "is an image, not text: give a plain text file", id="image"),
        pytest.param(b"\x81" + RANDOM, ["--encoding=auto"], 65, "is not UTF-8 at byte 0 (line 1), nor cp1252 at byte 0 (line 1)", id="neither"),
        pytest.param(gzip.compress(TEXT.encode())[:-9], [], 65, "not a whole gzip file", id="cut gzip"),
        pytest.param(b"\x1f\x8b" + RANDOM, [], 65, "not a whole gzip file", id="no gzip"),
        pytest.param(TEXT.encode(), ["--encoding=utf-16"], 65, "--encoding", id="not UTF-16"),
        pytest.param(TEXT.encode(), ["--encoding=utf8x"], 2, "--encoding must be a text encoding", id="unknown encoding"),
        pytest.param(TEXT.encode(), ["--encoding=base64"], 2, "--encoding must be a text encoding", id="no text encoding"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_used_is_refused(content, arguments, code, message, refusal):
    """What is in a file decides whether it can be learned; the message says where the fault is and what to do."""
    Path("bad.txt").write_bytes(content)
    found, line = refusal(train.main, ["bad.txt", *arguments])
    assert (found, message in line) == (code, True), line


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + TEXT.encode(), TEXT.replace("\n", "\r\n").encode()])
def test_a_mark_and_windows_line_ends_are_accepted(content, capsys):
    """A UTF-8 byte order mark and CRLF are read as if they were not there."""
    Path("windows.txt").write_bytes(content)
    assert train.main(["windows.txt", "--data_prefix=good", "--dry_run"]) == 0
    plan = capsys.readouterr().err
    assert train.main(["good.txt", "--dry_run"]) == 0
    assert capsys.readouterr().err == plan


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent.txt"], 66, "there is no absent.txt"),
        (["god.txt"], 66, "did you mean good.txt?"),
        (["good.txt", "absent.txt"], 66, "there is no absent.txt"),
        (["absent/deeper/book.txt"], 66, "there is no absent"),
        (["good.txt/book.txt"], 66, "good.txt"),
        (["*.md"], 66, "no file matches *.md"),
        (["empty"], 66, "holds no *.txt"),
        (["/dev/null"], 2, "not a file"),
        (["gs://b/book.txt"], 2, "gs://BUCKET/PATH, the bucket in"),
        (
            ["s3://bucket/book.txt"],
            2,
            "a place must be a local path or gs://BUCKET/PATH, got s3://bucket/book.txt; copy it",
        ),
        (["https://host/book.txt"], 2, "a local path or gs://BUCKET/PATH, got https://host/book.txt"),
        (["GS://bucket/book.txt"], 2, "a local path or gs://BUCKET/PATH, got GS://bucket/book.txt"),
        (["--data_dir=s3://bucket/texts"], 2, "a local path or gs://BUCKET/PATH, got s3://bucket/texts"),
        (["c://book.txt"], 66, "there is no c:"),
        (
            ["jobs"],
            66,
            "the folder jobs holds no *.txt or *.txt.gz file except in job directories such as jobs/x, which are not read",
        ),
        (["jobs/x"], 2, "jobs/x is a job directory, which is not read as text"),
        (["empty", "--job_dir=circle/x"], 66, "the folder empty holds no *.txt"),
        (["jobs", "--job_dir=jobs"], 2, "--job_dir must not be the folder of the text, got jobs for both"),
        (["x" * 300], 74, "File name too long"),
        ([""], 2, "TEXT must not be empty"),
        (["a\0b"], 2, "got NUL"),
        (["\ud800"], 2, "lone surrogate"),
        (["new\nline.txt"], 66, "there is no new line.txt"),
        (["good.txt", "--data_dir=."], 2, "texts and --data_dir cannot be combined"),
        (["--data_dir=absent"], 66, "there is no absent"),
        (["--data_dir=good.txt", "--data_prefix=x"], 66, "good.txt"),
        (["--data_dir=empty", "--data_prefix=jules"], 66, "looked for jules.train.txt and jules.txt"),
        (["--data_dir=gs:///texts"], 2, "got gs:///texts"),
        (["--data_dir="], 2, "--data_dir must not be empty"),
        (["good.txt", "--data_prefix=a/b"], 2, "--data_prefix takes letters"),
        (["good.txt", "--data_prefix="], 2, "--data_prefix must not be empty"),
        (["good.txt", "--data_prefix=a\nb"], 2, "--data_prefix takes letters"),
    ],
)
def test_a_text_that_is_not_there_is_refused(arguments, code, message, refusal):
    """The message names what was looked for, and the nearest of what there is."""
    Path("empty").mkdir()
    Path("circle").symlink_to("circle")
    Path("jobs", "x").mkdir(parents=True)
    for name in ("config.yaml", "vocabulary.json", "samples.txt"):
        Path("jobs", "x", name).touch()
    found, line = refusal(train.main, arguments)
    assert (found, message in line) == (code, True), line


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
        (["--lstm_state_size=99999999"], "at most 16384"),
        (["--epochs=1" + 400 * "0"], "--epochs must be at least 1 and at most"),
        (["--max_steps=0"], "--max_steps must be at least 1"),
        (["--vocab_size=1"], "--vocab_size must be at least 2"),
        (["--seed=4294967296"], "--seed must be at least 0 and at most"),
        (["--dropout=1"], "--dropout must be at least 0 and below 1, got 1.0"),
        (["--dropout=nan"], "--dropout must be"),
        (["--learning_rate=inf"], "--learning_rate must be above 0 and at most 1000, got inf"),
        (["--learning_rate=1e999"], "--learning_rate must be above 0 and at most 1000, got inf"),
        (["--learning_rate=0"], "--learning_rate must be above 0"),
        (["--learning_rate=0,5"], "--learning_rate must be a number, got '0,5'"),
        (["--minutes=-5"], "--minutes must be above 0"),
        (["--clip_gradients=off"], "--clip_gradients must be a number"),
        (["--layers=none"], "--layers must be a whole number, got 'none'"),
        (["--valid_fraction=0.9"], "at most 0.5"),
        (["--language_model=words"], "did you mean word?"),
        (["--optimizer=ADAM"], "--optimizer must be one of adam, adamw, rmsprop, sgd"),
        (["--layer_norm=maybe"], "--layer_norm must be true or false"),
        (["--layer_norm", "--num_proj=3"], "cannot be combined"),
        (["--no-layers"], "unknown argument --no-layers"),
        (["--help=me"], "ignored explicit argument 'me'"),
        (["--config="], "--config must not be empty"),
        (["--config=a\0b"], "--config must be text, got NUL"),
        (["--job_dir="], "--job_dir must not be empty"),
        (["--job_dir=a\0b"], "--job_dir must be text, got NUL"),
        (["--job_dir=gs://b/job"], "a place in a bucket must be gs://BUCKET/PATH, the bucket in"),
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
    """An unknown flag, a value of another kind or out of range: 2, the flag, the rule and what was received."""
    Path("broken").symlink_to("nowhere")
    Path("mine").mkdir()
    Path("mine", "letter.txt").touch()
    code, line = refusal(train.main, ["good.txt", *arguments])
    assert (code, message in line) == (2, True), line


@pytest.mark.parametrize("flag", ["--job_dir", "--summary_dir"])
def test_a_name_that_is_too_long_is_refused(flag, refusal):
    """A path that no file system takes is one line, too."""
    assert refusal(train.main, ["good.txt", f"{flag}={'x' * 300}"])[0] == 74
    assert refusal(train.main, ["good.txt", f"{flag}={'x/' * 5000}"])[0] == 74


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("layrs: 2", 78, "bad.yaml has the unknown key 'layrs'; did you mean layers?"),
        ("layers: two", 78, "bad.yaml: layers must be a whole number, got 'two'"),
        ("layers: 0", 78, "bad.yaml: layers must be at least 1"),
        ("layers: [2]", 78, "bad.yaml: layers must be a whole number, got [2]"),
        ("layers: 0x" + 6000 * "f", 78, "bad.yaml: layers must be at least 1"),
        ("layer_norm: 0x" + 6000 * "f", 78, "layer_norm must be true or false"),
        ("? 0x" + 6000 * "f" + "\n: 1", 78, "unknown key"),
        ("dropout: .nan", 78, "bad.yaml: dropout must be"),
        ("dropout: 2020-13-45", 78, "is not valid YAML"),
        ("job_dir: ''", 78, "bad.yaml: job_dir must not be empty"),
        ('job_dir: "a\\0b"', 78, "got NUL"),
        ('job_dir: "\\ud800"', 78, "lone surrogate"),
        ("texts: ['']", 78, "TEXT must not be empty"),
        ("texts: {a: 1}", 78, "must be a list of paths"),
        ("layer_norm: true\nnum_proj: 3", 2, "cannot be combined"),
        ("just words", 78, "must contain lines such as 'layers: 2', got a str"),
        ("- layers", 78, "must contain lines such as"),
        ("layers: [", 78, "is not valid YAML"),
        ("layers: 1\n---\nlayers: 2", 78, "is not valid YAML"),
        ("? [a]\n: b", 78, "is not valid YAML"),
        ("layers: !!int ''", 78, "is not valid YAML"),
        ("layers: !!timestamp x", 78, "is not valid YAML"),
        ("layers: !!python/object/apply:os.getcwd []", 78, "is not valid YAML"),
        ("a: " + 9999 * "[", 78, "is not valid YAML"),
        ("\tlayers: 2", 78, "is not valid YAML"),
        ("layers: \x07", 78, "is not valid YAML"),
        ("true: 1", 78, "unknown key True"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_refused(content, code, message, refusal):
    """A file of settings is named with the key and the rule; what is only wrong beside a flag is a matter of usage."""
    Path("bad.yaml").write_text(content)
    found, line = refusal(train.main, ["good.txt", "--config", "bad.yaml"])
    assert (found, message in line) == (code, True), line


def test_a_config_file_of_many_aliases_stays_small(refusal):
    """Aliases that unfold to gigabytes are refused without being unfolded."""
    levels = [
        f"&{name} [{', '.join(9 * [f'*{before}'])}]" for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
    ]
    Path("bad.yaml").write_text(f"layers: [&a [x, x, x], {', '.join(levels)}]")
    code, line = refusal(train.main, ["good.txt", "--config", "bad.yaml"])
    assert code == 78
    assert len(line) < 200


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("dmeo", 66, "--config dmeo is neither a file nor a preset; did you mean demo?"),
        ("absent.yaml", 66, "the presets are demo"),
        ("gs://x.yaml", 2, "a place in a bucket must be gs://BUCKET/PATH, the path in"),
        ("../configs/demo", 66, "neither a file nor a preset"),
        (".", 2, "--config must be a preset or a YAML file, got ., which is neither"),
        ("/dev/zero", 2, "got /dev/zero, which is neither"),
        ("x" * 300, 74, "File name too long"),
        ("bytes.yaml", 78, "byte 8 is not UTF-8"),
    ],
)
def test_a_config_that_is_no_file_is_refused(name, code, message, refusal):
    """A folder, a device, a name that nothing has."""
    Path("bytes.yaml").write_bytes(b"layers: \xff")
    found, line = refusal(train.main, ["good.txt", "--config", name])
    assert (found, message in line) == (code, True), line


@needs_permissions
@pytest.mark.parametrize("flag", ["", "--config=", "--job_dir=", "--summary_dir="])
def test_what_may_not_be_used_is_refused(flag, refusal):
    """A file that may not be read and a place that may not be written to end with 77."""
    Path("mine").mkdir() if flag.endswith("dir=") else Path("mine").touch()
    Path("mine").chmod(0)
    assert refusal(train.main, ["good.txt", f"{flag}mine"])[0] == 77


def test_a_vocabulary_file_of_another_text_is_refused(refusal):
    """A vocabulary file that lacks more than a twentieth of the text's tokens is refused with the share; less is not."""
    Path("x.train.txt").write_text("one two three four five six seven eight nine ten\n" * 300)
    Path("x.valid.txt").write_text("one two three\n" * 30)
    Path("x.vocab.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n")
    arguments = ["--data_dir=.", "--data_prefix=x", "--language_model=word"]
    code, line = refusal(train.main, arguments)
    assert code == 65
    assert "x.vocab.txt lacks 10.0% of the tokens of the training text, such as 'ten'" in line
    with Path("x.vocab.txt").open("a") as file:
        file.write("ten\n")
    assert train.main([*arguments, "--dry_run"]) == 0


def test_a_vocabulary_size_beside_a_vocabulary_file_is_refused(refusal):
    """The two contradict each other."""
    Path("x.txt").write_text(TEXT)
    Path("x.vocab.txt").write_text("\n".join(set(TEXT.split())))
    arguments = ["--data_dir=.", "--data_prefix=x", "--language_model=word", "--vocab_size=5"]
    code, line = refusal(train.main, arguments)
    assert code == 2
    assert "contradict each other" in line


def test_a_test_text_that_cannot_be_scored_is_refused_before_training(refusal):
    """Nobody trains for hours to learn that the text for the end is too short."""
    for part, text in {"train": TEXT, "valid": TEXT, "test": "a"}.items():
        Path(f"x.{part}.txt").write_text(text)
    code, line = refusal(train.main, ["--data_dir=.", "--data_prefix=x"])
    assert code == 65
    assert "the test text must have at least 2 tokens, got 1" in line


def test_a_job_of_another_shape_is_refused(job, refusal):
    """A job directory named outright that holds another model: each setting that differs is listed."""
    arguments = ["book.txt", "--job_dir", str(JOB), "--lstm_state_size=9", "--layer_norm"]
    code, line = refusal(train.main, arguments)
    assert code == 78
    assert (
        "contains a model of a different shape: lstm_state_size is 8 in the job and 9 in this run, layer_norm is off in the job and on in this run;"
        in line
    )
    assert refusal(train.main, [*arguments, "--dry_run"]) == (code, line)


def test_a_job_of_another_text_is_refused(job, refusal):
    """The vocabulary and the position of a job belong to its text."""
    Path("book.txt").write_text(TEXT)
    code, line = refusal(train.main, job)
    assert code == 65
    assert "was trained on a different text" in line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", b"layrs: 2", "config.yaml has the unknown key 'layrs'"),
        ("config.yaml", b"layers: 0", "config.yaml: layers must be at least 1"),
        (
            "config.yaml",
            b"layer_norm: true\nnum_proj: 3",
            "config.yaml: layer_norm and num_proj cannot be combined",
        ),
        ("config.yaml", b"[", "config.yaml is not valid YAML"),
        ("config.yaml", b"\xff", "config.yaml: byte 0 is not UTF-8"),
        ("vocabulary.json", b"", "vocabulary.json is damaged; remove it"),
        ("vocabulary.json", b"[]", "vocabulary.json is damaged"),
        ("vocabulary.json", b"[" * 9999, "vocabulary.json is damaged"),
        ("vocabulary.json", b"{}", "vocabulary.json is damaged; remove it"),
        ("state.json", b"", "state.json is damaged"),
        ("state.json", b"[]", "state.json is damaged"),
        ("state.json", b'{"status": "finished", "steps": "all"}', "state.json is damaged"),
    ],
)
def test_a_damaged_job_is_refused(name, content, message, job, refusal):
    """A job whose files were changed by hand is refused in one line that names the file."""
    (JOB / name).write_bytes(content)
    code, line = refusal(train.main, job)
    assert (code, message in line) == (78, True), line


@pytest.mark.parametrize("content", [b"{", b"[]", b"1", b"\xff", b"[" * 9999])
def test_damaged_metrics_of_a_finished_job_are_refused(content, job, capsys):
    """Without its figures --json has nothing to print; the plan stands before that line, as the job could be opened."""
    (JOB / "metrics.jsonl").write_bytes(content)
    assert train.main([*job, "--json"]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert "metrics.jsonl" in err.splitlines()[-1]
    assert err.count("error: ") == 1
    assert train.main(job) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 66, "there is no job below job; "),
        ([""], 2, "JOB must not be empty"),
        (["a\0b"], 2, "JOB must be text, got NUL"),
        (["absent"], 66, "there is neither absent nor job/absent; "),
        (["good.txt/absent"], 66, "there is neither good.txt/absent nor "),
        (["a\nb"], 66, "there is neither a b nor job/a b; "),
        (["gs://"], 2, "a place in a bucket must be gs://BUCKET/PATH, the bucket in"),
        (["gs://bucket"], 2, "a place in a bucket must be gs://BUCKET/PATH, the path in"),
        (["gs:///job"], 2, "got gs:///job"),
        (["s3://bucket/job"], 2, "a local path or gs://BUCKET/PATH, got s3://bucket/job; copy it"),
        (["s3://bucket/job", "--novelty"], 2, "a local path or gs://BUCKET/PATH, got s3://bucket/job; copy it"),
        (["model", "--prompt=@s3://bucket/x"], 2, "--prompt @FILE must be a local path, got s3://bucket/x"),
        (["model", "--prompt=@gs://bucket/x"], 2, "--prompt @FILE must be a local path, got gs://bucket/x"),
        (["model", "--prompt=@document"], 65, "the prompt file document is a PDF document, not plain text: open it and save it as plain text"),
        (["gs://bucket/job", "--novelty"], 2, "--novelty and --max_copy need a local job directory to find the training text, got gs://bucket/job"),
        (["gs://bucket/job", "--interactive", "--max_copy=40"], 2, "need a local job directory"),
        (["empty"], 66, "empty holds no model yet; train one with textgen-train"),
        (["good.txt"], 78, "cannot use good.txt: it is damaged or no model file"),
        (["cut"], 78, "cannot use cut: it is damaged"),
        (["nothing"], 78, "cannot use nothing: it is damaged"),
        (["random"], 78, "cannot use random: it is damaged"),
        (["other"], 78, "it is a safetensors file, but no textgen model"),
        (["newer"], 78, "upgrade textgen"),
        (["x" * 300], 66, "there is neither x"),
        (["model", "another"], 2, "unknown argument another"),
        (["model", "--temprature=1"], 2, "did you mean --temperature?"),
        (["model", "--length=-1"], 2, "--length must be at least 0, got -1"),
        (["model", "--length=1e3"], 2, "--length must be a whole number, got '1e3'"),
        (["model", "--temperature=-0.5"], 2, "--temperature must be at least 0"),
        (["model", "--temperature", "-1"], 2, "--temperature must be at least 0"),
        (["model", "--temperature=inf"], 2, "--temperature must be at least 0, got inf"),
        (["model", "--temperature=nan"], 2, "--temperature must be at least 0, got nan"),
        (["model", "--seed=-1"], 2, "--seed must be at least 0"),
        (["model", "--top_k=0"], 2, "--top_k must be at least 1, got 0"),
        (["model", "--top_p=0"], 2, "--top_p must be above 0 and at most 1, got 0.0"),
        (["model", "--top_p=1.5"], 2, "--top_p must be above 0 and at most 1, got 1.5"),
        (["model", "--min_p=2"], 2, "--min_p must be at least 0 and at most 1, got 2.0"),
        (["model", "--min_p=-0.1"], 2, "--min_p must be at least 0"),
        (["model", "--repetition_penalty=0.5"], 2, "--repetition_penalty must be at least 1"),
        (["model", "--lines=0"], 2, "--lines must be at least 1, got 0"),
        (["model", "--samples=0"], 2, "--samples must be at least 1, got 0"),
        (["model", "--samples=none"], 2, "--samples must be a whole number, got 'none'"),
        (["model", "--until="], 2, "--until must not be empty"),
        (["model", "--until=a", "--until="], 2, "--until must not be empty"),
        (["model", "--max_copy=5"], 2, "--max_copy must be at least 16, got 5"),
        (["model", "--max_copy=40"], 66, "the training text of model is unknown"),
        (["model", "--novelty"], 66, "the training text of model is unknown"),
        (["model", "--interactive", "--max_copy=40"], 66, "the training text of model is unknown"),
        (["model", "--interactive", "--json"], 2, "--interactive and --json cannot be combined"),
        (["model", "--interactive", "--samples=2"], 2, "--interactive and --samples cannot be combined"),
        (["model", "--interactive", "--novelty"], 2, "--interactive and --novelty cannot be combined"),
        (["model", "--interactive", "--prompt=-"], 2, "--interactive and --prompt - cannot be combined"),
        (["model", "--oov=skp"], 2, "--oov must be one of error, skip, unk, got 'skp'; did you mean skip?"),
        (["model", "--prompt"], 2, "--prompt needs a value"),
        (["model", "--prompt=a\0b"], 2, "--prompt must be text, got NUL"),
        (["model", "--prompt=\ud800"], 2, "lone surrogate"),
        (["model", "--prompt=@"], 2, "--prompt @FILE must name a file, got ''"),
        (["model", "--prompt=@empty"], 2, "--prompt @FILE must name a file, got 'empty'"),
        (["model", "--prompt=@/dev/zero"], 2, "--prompt @FILE must name a file, got '/dev/zero'"),
        (["model", "--prompt=@absent"], 66, "cannot read the prompt file absent: there is no such file"),
        (["model", "--prompt=@good.txt/absent"], 66, "cannot read the prompt file good.txt/absent: there is no such file"),
        (["model", "--prompt=@" + "x" * 300], 74, "File name too long"),
        (["model", "--prompt=@random"], 65, "the prompt file random must be UTF-8, but byte"),
        (["model", "--prompt=“☃ sea Ω”"], 65, "the model does not know these tokens of the prompt: '☃', 'Ω'; leave them out with --oov skip, or let the model read [UNK] in their place with --oov unk"),
        (["model", "--prompt=" + "".join(map(chr, range(0x400, 0x500)))], 65, "and 246 more"),
    ],
)  # fmt: skip
def test_a_sample_that_cannot_be_made_is_refused(arguments, code, message, refusal, trained):
    """What is wrong with the model, a flag or the prompt is said before anything is written."""
    model = trained.job / "model.safetensors"
    content = model.read_bytes()
    shutil.copy(model, "model")
    Path("empty").mkdir()
    Path("cut").write_bytes(content[:-100])
    Path("nothing").touch()
    Path("random").write_bytes(RANDOM)
    Path("document").write_bytes(b"%PDF-1.7\n" + RANDOM)
    Path("newer").write_bytes(re.sub(rb"(format_version\W+)\d", rb"\g<1>9", content))
    save_file({"weights": np.zeros(3, np.float32)}, "other")
    found, line = refusal(sample.main, arguments)
    assert (found, message in line) == (code, True), line


@pytest.mark.parametrize("content", [b"sea \xff", "☃".encode(), b"\0"])
def test_a_prompt_that_stands_elsewhere_is_held_to_the_same_rules(content, trained, refusal, monkeypatch):
    """What is no text, or not the model's, is refused as from the flag, on standard input and in a file."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    Path("prompt").write_bytes(content)
    for prompt in ("-", "@prompt"):
        assert refusal(sample.main, [str(trained.job), "--prompt", prompt])[0] == 65


@needs_permissions
def test_a_prompt_file_that_may_not_be_read_is_refused(trained, refusal):
    """No permission ends with 77."""
    Path("mine").touch(0)
    assert refusal(sample.main, [str(trained.job), "--prompt=@mine"])[0] == 77


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("book.txt", None, 66, "cannot find the training text: there is no book.txt"),
        ("book.txt", TEXT, 65, "book.txt is not the text that"),
        (JOB / "config.yaml", None, 66, "is unknown: there is no"),
        (JOB / "config.yaml", "[", 78, "is not valid YAML"),
    ],
)
def test_without_the_training_text_copies_cannot_be_found(name, content, code, message, refusal):
    """Nothing is written where the text that the model learned from is gone or another; plain sampling does not mind."""
    Path(name).unlink() if content is None else Path(name).write_text(content)
    for flags in (["--novelty"], ["--max_copy=40"], ["--interactive", "--max_copy=40"]):
        found, line = refusal(sample.main, [str(JOB), *flags])
        assert (found, message in line) == (code, True), line
    assert sample.main([str(JOB), "--length=5"]) == 0


def outcome(command, arguments):
    """The exit code of a command and what it wrote, for tests that run it a hundred times."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = command(arguments)
    return code, out.getvalue(), err.getvalue()


FLAGS = [
    setting.flag
    for each in (config.TrainingConfig, config.TrainCommand, config.SampleCommand, config.SamplingConfig)
    for setting in config.settings(each)
    if setting.option.positional is None
]
# No path that exists, since the whole disk would be read; nothing else is left out.
VALUES = st.text(st.characters(exclude_characters="/.~*?[")) | st.sampled_from(
    [
        "",
        "-",
        "--",
        "---",
        "=",
        "none",
        "1",
        "0",
        "-1",
        "1e999",
        "nan",
        "9" * 500,
        "true",
        "demo",
        "utf-16",
        "gs://",
        "\ud800",
    ]
)
ARGUMENTS = st.lists(
    st.builds("{}={}".format, st.sampled_from(FLAGS), VALUES) | st.sampled_from(FLAGS) | VALUES, max_size=6
)
per_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@per_test
@given(ARGUMENTS)
@pytest.mark.parametrize("command", [train.main, sample.main, main.main])
def test_nothing_that_can_be_typed_gives_a_traceback(command, arguments):
    """Any arguments end with a known code; a refusal is one line on standard error and nothing on standard output."""
    code, out, err = outcome(command, [*arguments, "--dry_run"])
    if code:
        assert (code in {2, 65, 66, 74, 78}, out, err.count("\n")) == (True, "", 1), err
        assert re.match(r"textgen(-train|-sample)?: error: ", err)


@per_test
@given(st.text() | st.builds("{}: {}".format, st.sampled_from([flag[2:] for flag in FLAGS]), st.text()))
def test_nothing_in_a_config_file_gives_a_traceback(content):
    """Any text as a file of settings is used or refused in one line."""
    Path("any.yaml").write_bytes(content.encode(errors="replace"))
    code, out, err = outcome(train.main, ["good.txt", "--config", "any.yaml", "--dry_run"])
    if code:
        assert (code in {2, 65, 66, 74, 78}, out, err.count("\n")) == (True, "", 1), err


@per_test
@given(
    st.binary(),
    st.sampled_from(["utf-8", "latin-1", "auto", "utf-16", "utf-16-le", "utf-32", "utf-7", "shift-jis", "idna"]),
)
@pytest.mark.parametrize("model", ["char", "word"])
def test_nothing_in_a_text_gives_a_traceback(model, content, encoding):
    """Any bytes as a text, in any encoding, are learned or refused in one line."""
    Path("any.txt").write_bytes(content)
    arguments = ["any.txt", "--encoding", encoding, "--language_model", model, "--batch_size=1", "--unroll_steps=1"]
    code, out, err = outcome(train.main, [*arguments, "--dry_run"])
    if code:
        assert (code, out, err.count("\n")) == (65, "", 1), err
