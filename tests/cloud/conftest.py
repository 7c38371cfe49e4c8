import pytest

from tests.cloud.google_stand_in import google_stand_in
from tests.cloud.vertex_service import VertexService
from textgen.cli import main
from textgen.storage import bundled

REGION = "us-central1"
"""The region of the tests' buckets."""

NAME = "book-8-states-1-layers"
"""The name of the jobs that `submitted` submits."""


def vertex_command(*arguments):
    """Runs a command of `textgen vertex`; returns its exit code."""
    return main.main(["vertex", *arguments])


def submitted(bucket, *arguments):
    """Submits a small model on the text of the folder; returns the exit code."""
    return vertex_command("submit", "book.txt", "--lstm_state_size=8", f"--bucket={bucket.name}", *arguments)


@pytest.fixture
def google(tmp_path, monkeypatch):
    """A local server that stands in for Google's services."""
    (tmp_path / "google").mkdir()
    with google_stand_in(tmp_path / "google", monkeypatch) as google:
        yield google


@pytest.fixture
def vertex(google):
    """A stand-in for Vertex AI's job service in `REGION`."""
    service = VertexService()
    google.hosts[f"{REGION}-aiplatform.googleapis.com"] = service.answer
    yield service
    for thread in service.threads:
        thread.join()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, which contains a text and a vertex.yaml without a bucket."""
    place = tmp_path / "folder"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "book.txt").write_text(bundled("data/story.txt").read_text(encoding="utf-8")[:6000], encoding="utf-8")
    image = f"{REGION}-docker.pkg.dev/my-project/textgen/textgen:1"
    (place / "vertex.yaml").write_text(f"project: my-project\nregion: {REGION}\nimage: {image}\n")
    return place
