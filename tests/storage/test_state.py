import os

import pytest

from textgen.errors import MissingError
from textgen.storage import cache_directory, state_path


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


def test_a_home_of_nobody_is_one_error(monkeypatch):
    """It names the variable."""
    monkeypatch.setenv("TEXTGEN_STATE", "~no-such-user-here/state")
    with pytest.raises(MissingError, match=r"^TEXTGEN_STATE is ~no-such-user-here/state, and there is no such home"):
        state_path("jobs/1")
