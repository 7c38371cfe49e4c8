import os
import sys
import time
from pathlib import Path

import pytest

from textgen.errors import AccessError, MissingError, TextgenError, UsageError
from textgen.storage import bundled, cache_directory, state_path

module = sys.modules[bundled.__module__]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of nothing but this test's own directories."""
    for name in ("TEXTGEN_STATE", "TEXTGEN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path


def test_the_environment_names_the_cache(tmp_path, monkeypatch):
    """Each kind of cached file has a directory in TEXTGEN_CACHE, which is created on request."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "deep" / "cache"))
    ids = cache_directory("ids")
    assert ids == tmp_path / "deep" / "cache" / "ids"
    assert ids.is_dir()
    assert cache_directory("copies").is_dir()
    assert sorted(path.name for path in (tmp_path / "deep" / "cache").iterdir()) == ["copies", "ids"]


def test_asking_again_changes_nothing(tmp_path, monkeypatch):
    """Files in the cache stay."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path))
    (cache_directory("ids") / "array").write_text("x")
    assert (cache_directory("ids") / "array").read_text() == "x"


@pytest.mark.parametrize("place", ["s3://bucket/cache", "gs://bucket/cache", "file:///tmp/cache"])
def test_a_uri_is_refused(tmp_path, monkeypatch, place):
    """A cache is on this machine: no directory is made that has the name of a URI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGEN_CACHE", place)
    with pytest.raises(UsageError, match=f"^TEXTGEN_CACHE must be a local path, got {place}; "):
        cache_directory("ids")
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    """A tilde is expanded, because no shell expands the path in a settings file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("TEXTGEN_CACHE", "~/mine")
    assert cache_directory("ids") == tmp_path / "mine" / "ids"


def test_what_a_killed_process_left_goes_after_a_day(tmp_path, monkeypatch):
    """Temporary files older than a day are removed; newer ones may belong to a running process."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path))
    old, young = (cache_directory("ids") / f".array.uint8.{number}.tmp" for number in (1, 2))
    for path, hours in ((old, 25), (young, 23)):
        path.touch()
        os.utime(path, times=(time.time() - hours * 3600,) * 2)
    cache_directory("ids")
    assert not old.exists()
    assert young.exists()


def test_what_nobody_has_read_for_a_month_goes_where_it_can_be_made_again(tmp_path, monkeypatch):
    """Old, unread files and folders are removed; those that were read lately stay, and so do all files of other caches."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path))
    now, month = time.time(), 31 * 24 * 3600
    times = {"unread": (now - month, now - month), "read": (now - 60, now - month), "new": (now, now)}
    for kind in ("ids", "jobs"):
        for name, both in times.items():
            folder = cache_directory(kind) / f"folder {name}"
            (folder / "below").mkdir(parents=True)
            for path in (cache_directory(kind) / name, folder / "below" / "file", folder):
                path.touch()
                os.utime(path, times=both)
    left = {path.name for path in cache_directory("ids", expires=True).iterdir()}
    assert left == {"read", "new", "folder read", "folder new"}
    assert len(list(cache_directory("jobs").iterdir())) == 2 * len(times)


@pytest.mark.skipif(os.name == "nt", reason="Windows names the directory otherwise")
@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_cache_is_the_users(tmp_path, monkeypatch, value):
    """Unset or empty, the cache is where the system keeps caches, below a directory of our name."""
    if value is None:
        monkeypatch.delenv("TEXTGEN_CACHE", raising=False)
    else:
        monkeypatch.setenv("TEXTGEN_CACHE", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    directory = cache_directory("ids")
    assert directory.is_dir()
    assert directory.is_relative_to(tmp_path)
    assert directory.parts[-2:] == ("textgen", "ids")


def test_a_file_in_the_way_is_one_error(tmp_path, monkeypatch):
    """A cache that cannot be made is an expected failure that names the directory."""
    (tmp_path / "file").write_text("x")
    for name in ("file", "file/below"):
        monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / name))
        with pytest.raises(TextgenError, match=r"^cannot make the directory [^\n]*ids: [^\n]*$"):
            cache_directory("ids")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_place_without_permission_is_one_error(tmp_path, monkeypatch):
    """The error names the missing permission."""
    tmp_path.chmod(0o500)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(AccessError, match="check the permissions"):
        cache_directory("ids")


def test_a_home_of_nobody_is_one_error(monkeypatch):
    """A tilde with a name that is no user's is an expected failure that names the variable."""
    monkeypatch.setenv("TEXTGEN_CACHE", "~no-such-user-here/cache")
    with pytest.raises(TextgenError, match=r"^[^\n]*TEXTGEN_CACHE[^\n]*no-such-user-here[^\n]*$"):
        cache_directory("ids")
    assert not Path("~no-such-user-here").exists()


def test_the_environment_names_the_place(tmp_path, monkeypatch):
    """Below TEXTGEN_STATE, whatever TEXTGEN_CACHE says; nothing is made."""
    monkeypatch.setenv("TEXTGEN_STATE", str(tmp_path / "mine"))
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    assert state_path("jobs/1") == tmp_path / "mine" / "jobs" / "1"
    monkeypatch.setenv("TEXTGEN_STATE", "~/other")
    assert state_path("jobs/1") == tmp_path / "other" / "jobs" / "1"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows names the directory otherwise")
@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_place_is_the_users_and_no_cache(tmp_path, monkeypatch, value):
    """Where the system keeps the state of programs, below a directory of our name."""
    if value is not None:
        monkeypatch.setenv("TEXTGEN_STATE", value)
    path = state_path("jobs/1")
    assert path.is_relative_to(tmp_path)
    assert path.parts[-3:] == ("textgen", "jobs", "1")
    assert path.parents[1] != cache_directory("jobs").parent


def test_what_an_earlier_version_left_in_the_cache_is_found():
    """It is used there, until there is one in the new place."""
    earlier = cache_directory("jobs") / "1"
    new = state_path("jobs/1")
    assert new != earlier
    earlier.mkdir()
    assert state_path("jobs/1") == earlier
    new.mkdir(parents=True)
    assert state_path("jobs/1") == new


def test_a_state_in_a_home_of_nobody_is_one_error(monkeypatch):
    """It names the variable."""
    monkeypatch.setenv("TEXTGEN_STATE", "~no-such-user-here/state")
    with pytest.raises(MissingError, match=r"^TEXTGEN_STATE is ~no-such-user-here/state, and there is no such home"):
        state_path("jobs/1")


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
