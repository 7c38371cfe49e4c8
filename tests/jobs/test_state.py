import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.errors import FormatError, MissingError
from textgen.jobs import JobState

STATES = st.builds(
    JobState,
    status=st.sampled_from(["running", "stopped", "finished"]),
    steps=st.integers(0, 10**12),
    epochs=st.integers(0, 10**6),
    minutes=st.floats(0, 1e9),
    data_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@settings(deadline=None)
@given(state=STATES)
def test_round_trip(folder, state):
    """All values are read exactly as written."""
    state.write(folder / "state.json")
    assert JobState.read(folder / "state.json") == state


def test_the_file_is_plain_json(tmp_path):
    """Any program can read a job's progress."""
    JobState("stopped", 12, 1, 0.5, "ab", 2).write(tmp_path / "state.json")
    assert json.loads((tmp_path / "state.json").read_text()) == {
        "status": "stopped",
        "steps": 12,
        "epochs": 1,
        "minutes": 0.5,
        "data_sha256": "ab",
        "stale": 2,
    }


def test_a_missing_file_is_named(tmp_path):
    """A state that is not there is missing, not damaged."""
    with pytest.raises(MissingError, match=r"state\.json: there is no such file"):
        JobState.read(tmp_path / "state.json")


GOOD = dataclasses.asdict(JobState("running", 3, 1, 2.5, "ab"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"running"',
        "{}",
        json.dumps(GOOD | {"more": 1}),
        json.dumps(GOOD | {"status": "paused"}),
        json.dumps(GOOD | {"status": ["running"]}),
        json.dumps(GOOD | {"steps": "3"}),
        json.dumps(GOOD | {"steps": 2.5}),
        json.dumps(GOOD | {"steps": True}),
        json.dumps(GOOD | {"epochs": None}),
        json.dumps(GOOD | {"minutes": "2.5"}),
        json.dumps(GOOD | {"minutes": [1]}),
        json.dumps(GOOD | {"data_sha256": 7}),
    ],
)
def test_damage_is_refused(tmp_path, content):
    """Other content is refused in one line, which names the file and advises to remove it."""
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(FormatError, match=r"^[^\n]*state\.json is damaged: [^\n]*remove it[^\n]*$"):
        JobState.read(tmp_path / "state.json")


@pytest.mark.parametrize("keep", range(1, 60, 7))
def test_a_truncated_file_is_refused(tmp_path, keep):
    """A state that was cut off anywhere is damaged."""
    JobState("running", 123456, 12, 34.5, "ab" * 32).write(tmp_path / "state.json")
    content = (tmp_path / "state.json").read_bytes()
    (tmp_path / "state.json").write_bytes(content[:keep])
    with pytest.raises(FormatError, match="is damaged"):
        JobState.read(tmp_path / "state.json")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    """A binary file is refused as such."""
    (tmp_path / "state.json").write_bytes(b"\x80\xff\x00")
    with pytest.raises(FormatError, match=r"state\.json: byte 0 is not UTF-8"):
        JobState.read(tmp_path / "state.json")


def test_whole_minutes_may_be_a_whole_number(tmp_path):
    """Other programs write 5.0 as 5."""
    (tmp_path / "state.json").write_text(json.dumps(GOOD | {"minutes": 5}))
    assert JobState.read(tmp_path / "state.json").minutes == 5.0
