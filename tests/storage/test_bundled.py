import sys
from pathlib import Path

import pytest

from textgen.storage import bundled

module = sys.modules[bundled.__module__]


def test_the_story_and_the_presets_are_found():
    """What textgen needs to run without any text or flag is there."""
    story = bundled("data/story.txt")
    assert story.is_absolute()
    assert len(story.read_text(encoding="utf-8")) > 100_000
    assert [path.name for path in bundled("configs").glob("*.yaml")]


def test_the_current_directory_does_not_matter(tmp_path, monkeypatch):
    """Bundled files are found from anywhere, and files of the same name nearby are not taken for them."""
    expected = bundled("data/story.txt")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "story.txt").write_text("another story")
    monkeypatch.chdir(tmp_path)
    assert bundled("data/story.txt") == expected
    assert expected.is_file()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package as a wheel lays it out, without a checkout above it."""
    package = tmp_path / "site-packages" / "textgen"
    (package / "bundled" / "data").mkdir(parents=True)
    (package / "bundled" / "data" / "story.txt").write_text("the story of the wheel")
    monkeypatch.setattr(module, "_PACKAGE", package)
    monkeypatch.setattr(module, "_CHECKOUT", tmp_path)
    return package


def test_in_a_wheel_the_files_are_inside_the_package(installed):
    """An installed textgen uses the files that came with it."""
    assert bundled("data/story.txt") == installed / "bundled" / "data" / "story.txt"
    assert bundled("data") == installed / "bundled" / "data"


def test_a_name_that_is_nowhere_gives_a_path_that_is_not_there(installed):
    """Whoever opens it says that it is missing."""
    assert not bundled("data/other.txt").exists()


def test_the_wheel_carries_what_is_asked_for():
    """The directories that a wheel packs under `bundled` are those that a checkout has."""
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("configs", "data"):
        assert f'"{name}" = "textgen/bundled/{name}"' in project
        assert bundled(name).is_dir()
