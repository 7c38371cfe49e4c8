import io
import json
from pathlib import Path

import pytest

import textgen
from tests.markov import CHARACTERS, make_chain, make_model
from textgen.cli import compare, curve, export, sample, score, train
from textgen.cli import eval as evaluate
from textgen.generation import read_model, write_model

pytestmark = pytest.mark.cloud


@pytest.fixture
def uploaded(bucket, trained):
    """The URI of a directory that contains the model file of the trained job."""
    bucket.blob("jobs/book/model.safetensors").upload_from_filename(trained.job / "model.safetensors")
    return f"gs://{bucket.name}/jobs/book"


@pytest.mark.parametrize("ending", ["", "/", "/model.safetensors"])
def test_a_model_in_a_bucket_works_like_a_local_one(uploaded, trained, capsys, ending):
    """The URI of a model file or of its directory gives the same text as the local file, on the command line and in Python."""
    assert sample.main([uploaded + ending, "--length=30", "--seed=4"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("".join(textgen.load(trained.job).generate(length=30, seed=4)) + "\n", "")
    assert "".join(textgen.load(uploaded + ending).generate(length=30, seed=4)) + "\n" == out


def test_a_job_in_a_bucket_is_opened_from_python(uploaded, bucket, trained):
    """A job is opened by its URI once its settings are there, and has the same scores and history as the local one."""
    with pytest.raises(textgen.MissingError, match=rf"^{uploaded} is not a job: it has no config.yaml; "):
        textgen.open(uploaded)
    for path in (trained.job / "config.yaml", trained.job / "metrics.jsonl", trained.job / "state.json"):
        bucket.blob(f"jobs/book/{path.name}").upload_from_filename(path)
    job, local = textgen.open(f"{uploaded}/"), textgen.open(trained.job)
    assert (job.scores, job.history, job.config) == (local.scores, local.history, local.config)
    assert job.status == local.status == "finished"
    assert list(job.generate(length=30, seed=4)) == list(local.generate(length=30, seed=4))


def test_a_job_in_a_bucket_is_compared_and_drawn(bucket, trained, capsys):
    """A job in a bucket is compared with a local one, ranked by the same text, and its curve is that of the local job."""
    for path in trained.job.iterdir():
        if path.is_file() and path.name != "lock":
            bucket.blob(f"jobs/book/{path.name}").upload_from_filename(path)
    uri = f"gs://{bucket.name}/jobs/book"
    assert compare.main([uri, f"{trained.job}", "--json"]) == 0
    out, err = capsys.readouterr()
    first, second = map(json.loads, out.splitlines())
    assert (first["job_dir"], first["rank"], second["rank"], err) == (uri, 1, 2, "")
    for name in ("state", "parameters", "valid_bits_per_character", "valid_sha256", "steps", "tokens_per_second"):
        assert first[name] == second[name]
    assert first["bytes"] == sum(blob.size for blob in bucket.list_blobs(prefix="jobs/book/"))
    assert curve.main([uri]) == curve.main([str(trained.job)]) == 0
    drawn = capsys.readouterr().out.splitlines()
    assert drawn[: len(drawn) // 2] == drawn[len(drawn) // 2 :] != []
    assert compare.main([f"gs://{bucket.name}/absent"]) == 66
    assert f"gs://{bucket.name}/absent is not a job: it has no config.yaml; " in capsys.readouterr().err


def test_a_text_in_a_bucket_is_evaluated_and_scored(bucket, trained, book, capsys):
    """A .txt object in a bucket is a text for both commands, with the same score as the local file."""
    text = f"gs://{bucket.name}/book.txt"
    bucket.blob("book.txt").upload_from_filename(book)
    for command in (evaluate, score):
        assert command.main([text, str(trained.job), "--json"]) == 0
        there = json.loads(capsys.readouterr().out)
        assert command.main([str(book), str(trained.job), "--json"]) == 0
        here = json.loads(capsys.readouterr().out)
        assert there["bits_per_character"] == here["bits_per_character"]


def test_python_trains_in_a_bucket(bucket, book, training):
    """With a URI as job_dir, the returned job has this URI."""
    job = textgen.train("book.txt", job_dir=f"gs://{bucket.name}/mine", max_steps=3)
    assert job.path == f"gs://{bucket.name}/mine"
    assert job.history == [training.summary]


def test_a_session_cannot_limit_copies_of_a_text_that_it_cannot_find(uploaded, capsys, monkeypatch):
    """In a session, /max_copy for a model in a bucket is refused in one line, and the session continues."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/max_copy 20\n\n")))
    assert sample.main([uploaded, "--interactive", "--length=5", "--seed=4"]) == 0
    out, err = capsys.readouterr()
    assert len(out.strip("\n")) > 0
    assert err.count("\n") == 1
    assert f"--max_copy need the training text, but {uploaded} is in a bucket, " in err


def test_an_empty_object_for_a_directory_is_ignored(uploaded, bucket, capsys):
    """An empty object with a trailing slash, which some tools create, does not hide the model below it."""
    bucket.blob("jobs/book/").upload_from_string(b"")
    assert sample.main([f"{uploaded}/", "--length=5"]) == 0


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        ("absent", 66, "there is no model at gs://{}/absent or gs://{}/absent/model.safetensors; check"),
        ("absent/", 66, "there is no gs://{}/absent/model.safetensors; check"),
        ("note.txt", 78, "cannot use gs://{}/note.txt: it is damaged or no model file"),
    ],
)
def test_an_object_that_is_no_model_is_refused(bucket, capsys, place, code, message):
    """The message has the URI that was given, not the path of the file in the cache."""
    bucket.blob("note.txt").upload_from_string(b"a note, and no model")
    assert sample.main([f"gs://{bucket.name}/{place}"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("textgen-sample: error: " + message.replace("{}", bucket.name))
    assert err.count("\n") == 1


def test_a_model_in_a_bucket_is_exported_to_the_current_folder(uploaded, tmp_path, monkeypatch, capsys):
    """The export of a model in a bucket is in the current folder, named after the job."""
    monkeypatch.chdir(tmp_path)
    assert export.main([uploaded, "--format=onnx"]) == 0
    assert "book.onnx" in capsys.readouterr().out.splitlines()
    assert (tmp_path / "book.onnx").exists()


@pytest.mark.parametrize("rule", [None, "forbid"])
def test_a_model_to_start_from_that_cannot_be_read_is_refused(bucket, front, good_text, no_training, refusal, rule):
    """A model in a bucket that is not there, or may not be read, is refused in one line before anything is written."""
    front.rule = lambda *_: rule
    uri = f"gs://{bucket.name}/absent"
    code, line = refusal(train, ["good.txt", f"--init_from={uri}"])
    assert (code, uri in line) == ((66, True) if rule is None else (77, True))


def test_a_model_in_a_bucket_can_be_started_from(bucket, good_text, training):
    """The URI of a directory with a model gives its shape and its weights, and is recorded."""
    write_model(Path("m"), make_model(make_chain(1)))
    bucket.blob("jobs/first/model.safetensors").upload_from_filename("m")
    uri = f"gs://{bucket.name}/jobs/first"
    Path("known.txt").write_text(CHARACTERS * 300)
    assert train.main(["known.txt", f"--init_from={uri}", "--job_dir=mine"]) == 0
    assert training.calls[0].config.init_from == uri
    assert training.calls[0].start.sha256 == read_model(Path("m")).sha256
