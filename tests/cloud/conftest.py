import pytest

from tests.cloud.google_stand_in import google_stand_in
from tests.cloud.vertex_service import VertexService
from textgen.storage import bundled

REGION = "us-central1"
"""The region of the tests' buckets."""


@pytest.fixture
def google(tmp_path, monkeypatch):
    """Google's services, on this machine."""
    (tmp_path / "google").mkdir()
    with google_stand_in(tmp_path / "google", monkeypatch) as google:
        yield google


@pytest.fixture
def vertex(google):
    """Vertex AI's job service in the region of the tests."""
    service = VertexService()
    google.hosts[f"{REGION}-aiplatform.googleapis.com"] = service.answer
    yield service
    for thread in service.threads:
        thread.join()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a text and a vertex.yaml without a bucket."""
    place = tmp_path / "folder"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "book.txt").write_text(bundled("data/story.txt").read_text(encoding="utf-8")[:6000], encoding="utf-8")
    image = f"{REGION}-docker.pkg.dev/my-project/textgen/textgen:1"
    (place / "vertex.yaml").write_text(f"project: my-project\nregion: {REGION}\nimage: {image}\n")
    return place
