import io

import pytest

import textgen
from textgen.cli import export, sample

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


def test_a_session_cannot_limit_copies_of_a_text_that_it_cannot_find(uploaded, capsys, monkeypatch):
    """In a session, /max_copy for a model in a bucket is refused in one line, and the session continues."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/max_copy 20\n\n")))
    assert sample.main([uploaded, "--interactive", "--length=5", "--seed=4"]) == 0
    out, err = capsys.readouterr()
    assert len(out.strip("\n")) > 0
    assert err.count("\n") == 1
    assert "need a local job directory to find the training text" in err


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
