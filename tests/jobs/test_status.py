import dataclasses
import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import FormatError, InputOutputError, MissingError
from textgen.jobs import JobDirectory, JobState, job_facts, job_lock, list_jobs

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
        json.dumps(GOOD | {"minutes": 10**400}),
        json.dumps(GOOD | {"minutes": math.nan}),
        json.dumps(GOOD | {"minutes": -1}),
        json.dumps(GOOD | {"steps": 10**4000}),
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


@pytest.fixture
def make(tmp_path):
    """A function that makes a job that changed at a given second of 1970."""

    def make_job(name, state=None, metrics=(), changed=1000):
        job = JobDirectory(tmp_path / name)
        job.root.mkdir(parents=True)
        job.config.write_text("layers: 2\n")
        if state is not None:
            state.write(job.state)
        job.metrics.write_text("".join(json.dumps(line) + "\n" for line in metrics))
        touch(job, changed)
        return job

    return make_job


def touch(job, changed):
    for path in job.root.rglob("*"):
        os.utime(path, (changed, changed))


def names(tmp_path):
    return [os.path.relpath(job.job_dir, tmp_path) for job in list_jobs(tmp_path)]


def test_the_last_changed_comes_first_wherever_it_lies(make, tmp_path):
    """Jobs are found below folders too; hidden folders, folders inside a job and those without a config are none."""
    make("old", changed=1000)
    make("deep/er/new", changed=3000)
    make("middle", changed=2000)
    make("middle/inner", changed=9000)
    make(".hidden/job", changed=9000)
    (tmp_path / "empty").mkdir()
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "lock").touch()
    (tmp_path / "odd" / "config.yaml").mkdir(parents=True)
    assert sorted(names(tmp_path)) == ["deep/er/new", "middle", "old"]
    assert names(tmp_path)[-1] == "old"
    assert [job.job_dir for job in list_jobs(tmp_path / "old")] == [str(tmp_path / "old")]


def test_a_report_does_not_make_a_job_newer(make, tmp_path):
    """Reporting on an old job leaves the newest one the newest; the size includes the report."""
    make("new", changed=2000)
    job = make("old", changed=1000)
    job.report.write_text("a page")
    assert names(tmp_path) == ["new", "old"]
    assert job_facts(job).bytes == sum(path.stat().st_size for path in job.root.iterdir())


def test_the_state_is_that_of_the_lock_and_else_that_of_the_file(make):
    """A job whose lock is held is running; one whose state is running, but whose lock is free, was killed, and is stopped."""
    running = make("a", JobState("running", 5), changed=4000)
    make("b", JobState("running", 6, epochs=2, minutes=1.5), changed=3000)
    make("c", JobState("finished", 7), changed=2000)
    make("d", changed=1000)
    with job_lock(running, pytest.fail):
        found = list_jobs(running.root.parent)
    assert [(job.state, job.steps) for job in found] == [
        ("running", 5),
        ("stopped", 6),
        ("finished", 7),
        ("stopped", 0),
    ]
    assert (found[1].epochs, found[1].minutes) == (2, 1.5)
    assert [job.changed for job in found] == [4000, 3000, 2000, 1000]


def test_the_score_is_that_of_the_best_evaluation(make, tmp_path):
    """The lowest loss counts, with the bits per character of the same line; an invalid loss is skipped."""
    lines = [
        {"valid_loss": 2.0, "valid_bits_per_character": 2.9, "valid_unknown_share": 0.0},
        {"valid_loss": 1.5, "valid_bits_per_character": 2.2, "valid_unknown_share": 0.25},
        {"valid_loss": None},
        {"valid_loss": float("nan")},
        {"valid_loss": 10**400},
        {"valid_loss": [1]},
        {"valid_loss": 1.75, "valid_bits_per_character": 2.5},
    ]
    job = make("a", metrics=lines)
    with job.metrics.open("a") as file:
        file.write('{"valid_loss": 0.')  # a trainer is writing it
    [found] = list_jobs(tmp_path)
    assert (found.valid_loss, found.valid_bits_per_character, found.valid_unknown_share) == (1.5, 2.2, 0.25)
    assert found.problem is None


@pytest.mark.parametrize("before", [{"valid_sha256": "old"}, {}])
def test_evaluations_on_an_earlier_text_do_not_count(make, tmp_path, before):
    """If the text has changed, the best evaluation is one on the present text; one without a recorded text counts."""
    lines = [{"valid_loss": 1.0, **before}, *({"valid_loss": loss, "valid_sha256": "new"} for loss in (2.0, 3.0))]
    make("a", metrics=lines)
    assert list_jobs(tmp_path)[0].valid_loss == (2.0 if before else 1.0)


def test_the_size_is_that_of_all_files(make, tmp_path):
    """Files in subdirectories count; the targets of links do not."""
    job = make("a")
    before = list_jobs(tmp_path)[0].bytes
    assert before == len("layers: 2\n")
    job.checkpoints.mkdir()
    (job.checkpoints / "one").write_bytes(b"x" * 1000)
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (job.root / "link").symlink_to(tmp_path / "large")
    assert before + 1000 < list_jobs(tmp_path)[0].bytes < before + 2000


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.yaml", b"layers: [", "is not valid YAML"),
        ("config.yaml", b"layers: many", "layers must be a whole number"),
        ("config.yaml", b"\xff\xfe", "not UTF-8"),
        ("state.json", b"{", "state.json is damaged"),
        ("state.json", b'{"status": "asleep"}', "status is 'asleep'"),
        ("metrics.jsonl", b"{}\nnonsense\n{}\n", "damaged in line 2"),
        ("metrics.jsonl", b"[" * 100_000 + b"\n", "damaged in line 1"),
    ],
)
def test_a_damaged_job_is_listed_with_the_reason(make, tmp_path, name, content, reason):
    """A damaged file affects only its own job."""
    job = make("a")
    make("b", JobState("finished", 7))
    (job.root / name).write_bytes(content)
    touch(job, 2000)
    damaged, sound = list_jobs(tmp_path)
    assert (damaged.job_dir, damaged.state) == (str(job.root), "damaged")
    assert reason in str(damaged.problem)
    assert "\n" not in str(damaged.problem)
    assert damaged.bytes >= len(content)
    assert sound.state == "finished"


def test_a_directory_that_is_none_is_refused(tmp_path):
    """What is missing, or a file, cannot be looked into."""
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises((MissingError, InputOutputError), match=r"^cannot look for jobs in "):
            list_jobs(tmp_path / name)
    assert list_jobs(tmp_path) == []
