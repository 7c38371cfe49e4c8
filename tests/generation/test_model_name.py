from pathlib import Path

import pytest

from textgen.generation.model_place import model_name


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("job/night.watch", "night.watch"),
        ("job/night.watch/", "night.watch"),
        ("job/night.watch/model.safetensors", "night.watch"),
        (Path("some/night.watch.safetensors"), "night.watch"),
        ("gs://bucket/jobs/watch", "watch"),
        ("gs://bucket/jobs/watch/model.safetensors", "watch"),
        ("gs://bucket", "bucket"),
        ("model.safetensors", "model"),
        ("/", "model"),
    ],
)
def test_a_model_is_named_after_its_job_or_its_file(place, name):
    """A job's model has the job's name; any other file has its own, without the extension."""
    assert model_name(place) == name


def test_the_current_folder_is_a_job_too(tmp_path, monkeypatch):
    """The name of a job that is the current folder is that of the folder."""
    monkeypatch.chdir(tmp_path)
    assert model_name(".") == tmp_path.name
