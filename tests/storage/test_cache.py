import os
import time
from pathlib import Path

import pytest

from textgen.errors import AccessError, TextgenError, UsageError
from textgen.storage import cache_directory


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
    left = {path.name for path in cache_directory("ids", forgets=True).iterdir()}
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
