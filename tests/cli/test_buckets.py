import pytest

import textgen
from textgen.cli import export, sample

pytestmark = pytest.mark.cloud


@pytest.fixture
def uploaded(bucket, trained):
    """The URI of a job directory that holds the small job's model file."""
    bucket.blob("jobs/book/model.safetensors").upload_from_filename(trained.job / "model.safetensors")
    return f"gs://{bucket.name}/jobs/book"


@pytest.mark.parametrize("ending", ["", "/", "/model.safetensors"])
def test_a_model_in_a_bucket_writes_as_a_local_one(uploaded, trained, capsys, ending):
    """The URI of the file or of its directory gives the text that the file gives here, in Python too."""
    assert sample.main([uploaded + ending, "--length=30", "--seed=4"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("".join(textgen.load(trained.job).generate(length=30, seed=4)) + "\n", "")
    assert "".join(textgen.load(uploaded + ending).generate(length=30, seed=4)) + "\n" == out


def test_an_empty_object_that_marks_a_directory_is_no_model(uploaded, bucket, capsys):
    """Tools that show directories leave an object with a closing slash; it does not hide the model below it."""
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
def test_what_is_no_model_is_refused_by_its_uri(bucket, capsys, place, code, message):
    """One line names the place that was asked for, and not the file in the cache."""
    bucket.blob("note.txt").upload_from_string(b"a note, and no model")
    assert sample.main([f"gs://{bucket.name}/{place}"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("textgen-sample: error: " + message.replace("{}", bucket.name))
    assert err.count("\n") == 1


def test_a_model_in_a_bucket_is_exported_here(uploaded, tmp_path, monkeypatch, capsys):
    """The file for the other runtime lies in the current folder, under the job's name."""
    monkeypatch.chdir(tmp_path)
    assert export.main([uploaded, "--format=onnx"]) == 0
    assert "book.onnx" in capsys.readouterr().out.splitlines()
    assert (tmp_path / "book.onnx").exists()
