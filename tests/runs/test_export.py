from pathlib import Path

import pytest

from textgen.errors import UsageError
from textgen.runs.export import plan_export
from textgen.storage import base_path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "output", "name"),
    [
        ("watch", "watch/model.html", "watch"),
        ("mine.safetensors", "mine.html", "mine"),
        ("gs://bucket/jobs/watch", "watch.html", "watch"),
        ("gs://bucket/jobs/watch/model.safetensors", "model.html", "watch"),
        (str(base_path()), "base.html", "base"),
    ],
)
def test_the_place_and_the_name_follow_from_the_model(place, output, name):
    """The file is next to the model file or, for a model elsewhere, in the current folder; the page has the name of the job."""
    Path("watch").mkdir()
    Path("watch/model.safetensors").touch()
    Path("mine.safetensors").touch()
    plan = plan_export(place, "html", None, force=False)
    assert (plan.output, plan.name, plan.place, plan.format) == (Path(output), name, place, "html")


@pytest.mark.parametrize(
    ("name", "existing"),
    [("html", "out.html"), ("onnx", "out.onnx"), ("onnx", "out.onnx.vocabulary.json"), ("keras", "out.keras")],
)
def test_an_existing_file_is_refused(name, existing, folder):
    """Neither of the files of an export may exist, unless it is to be replaced; other files do not matter."""
    Path(existing).touch()
    Path("out.other").touch()
    output = f"out.{name}"
    with pytest.raises(
        UsageError, match=rf"^{existing} already exists; replace it with force, or name another file with output$"
    ):
        plan_export("mine", name, output, force=False)
    assert plan_export("mine", name, output, force=True).output == Path(output)
    assert {path.name for path in folder.iterdir()} == {existing, "out.other"}


def test_the_model_file_itself_is_never_replaced():
    """A model file with the extension of the format is refused as output, also with force."""
    Path("model.html").touch()
    with pytest.raises(UsageError, match=r"output must not be the model file itself, got model\.html"):
        plan_export("model.html", "html", None, force=True)
