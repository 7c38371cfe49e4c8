import dataclasses
from pathlib import Path

import pytest

from textgen.errors import InputOutputError, UsageError
from textgen.jobs import JobDirectory


def make_job(path, name="config.yaml"):
    path.mkdir(parents=True)
    (path / name).write_text(f"the job {path.name}")
    return JobDirectory(path)


def test_what_killed_trainers_left_half_written_goes(tmp_path):
    """Nothing else does, whatever its name is like."""
    for name in (".config.yaml.12.tmp", ".model.safetensors.9.tmp", "config.yaml", ".mine.tmp", "config.yaml.tmp"):
        (tmp_path / name).touch()
    JobDirectory(tmp_path).remove_abandoned()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.tmp", "config.yaml", "config.yaml.tmp"]


def test_every_file_has_its_own_place_inside_the_directory(tmp_path):
    """The layout is the documented one, and no two things share a path."""
    job = JobDirectory(tmp_path / "job")
    names = {
        "config": "config.yaml",
        "vocabulary": "vocabulary.json",
        "state": "state.json",
        "lock": "lock",
        "checkpoints": "checkpoints",
        "model": "model.safetensors",
        "metrics": "metrics.jsonl",
        "samples": "samples.txt",
        "logs": "logs",
        "report": "report.html",
    }
    for attribute, name in names.items():
        assert getattr(job, attribute) == tmp_path / "job" / name
    assert not job.root.exists()


def test_a_job_exists_once_it_has_a_config(tmp_path):
    """Neither a missing nor a foreign directory is a job; one in which a run began is."""
    assert not JobDirectory(tmp_path / "nowhere").exists
    assert not make_job(tmp_path / "foreign", "readme.txt").exists
    assert make_job(tmp_path / "job").exists


def test_a_lock_alone_is_no_job(tmp_path):
    """A directory that holds only the file a trainer locks is as good as none: there is no job, and nothing to move."""
    job = make_job(tmp_path / "job", "lock")
    assert job.is_empty
    assert not job.exists
    assert job.move_aside() is None
    assert [path.name for path in tmp_path.iterdir()] == ["job"]
    assert JobDirectory(tmp_path / "nowhere").is_empty
    (job.root / "other").touch()
    assert not job.is_empty


def test_a_job_directory_is_immutable(tmp_path):
    """The root of a job does not change under the hands of those who hold it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        JobDirectory(tmp_path).root = tmp_path / "other"  # type: ignore[misc]


def test_moving_aside_takes_the_first_free_number(tmp_path):
    """Jobs moved aside are numbered in the order of their going, and each keeps all it holds."""
    for number in (1, 2, 3):
        job = make_job(tmp_path / "a" / "job")
        (job.root / "checkpoints").mkdir()
        job.samples.write_text(str(number))
        assert job.move_aside() == tmp_path / "a" / f"job.{number}"
        assert not job.root.exists()
    assert [(tmp_path / "a" / f"job.{number}" / "samples.txt").read_text() for number in (1, 2, 3)] == ["1", "2", "3"]
    assert (tmp_path / "a" / "job.1" / "checkpoints").is_dir()


def test_moving_aside_overwrites_nothing(tmp_path):
    """Whatever stands at `NAME.1`, `NAME.2` and so on stays: a directory, an empty one, a file; gaps are used."""
    (tmp_path / "job.1").mkdir()
    (tmp_path / "job.2").write_text("a file")
    make_job(tmp_path / "job.4")
    assert make_job(tmp_path / "job").move_aside() == tmp_path / "job.3"
    assert make_job(tmp_path / "job").move_aside() == tmp_path / "job.5"
    assert not list((tmp_path / "job.1").iterdir())
    assert (tmp_path / "job.2").read_text() == "a file"
    assert (tmp_path / "job.4" / "config.yaml").read_text() == "the job job.4"


def test_all_that_textgen_makes_is_part_of_a_job(tmp_path):
    """What was exported, fetched from the cloud or left half-written goes along, and what a Mac leaves."""
    job = make_job(tmp_path / "job")
    for name in ("model.onnx", "model.onnx.vocabulary.json", ".state.json.7.tmp", ".fetched.json", ".DS_Store"):
        (job.root / name).touch()
    (job.root / "model").mkdir()
    assert job.move_aside() == tmp_path / "job.1"


@pytest.mark.parametrize("name", ["book.txt", ".bashrc", "job", "models", "state.json.bak", "Checkpoints"])
def test_what_is_not_the_jobs_is_not_moved(tmp_path, name):
    """A directory in which a user keeps other things, or other jobs, is refused in a line that names them, and stays."""
    job = make_job(tmp_path / "home")
    for other in (name, *"xyz"):
        (job.root / other).touch()
    listed = ", ".join(map(repr, sorted((name, *"xyz"))[:3]))
    with pytest.raises(UsageError) as raised:
        job.move_aside()
    assert str(raised.value) == (
        f"fresh would rename all of {job.root}, including what is not part of a job: {listed} and 1 more; "
        "move it elsewhere, or name another job_dir"
    )
    assert (job.root / name).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_moving_aside_passes_over_a_link_to_nowhere(tmp_path):
    """A broken link occupies its number as anything else does."""
    (tmp_path / "job.1").symlink_to(tmp_path / "gone")
    assert make_job(tmp_path / "job").move_aside() == tmp_path / "job.2"
    assert (tmp_path / "job.1").is_symlink()


def test_nothing_is_moved_where_nothing_is(tmp_path):
    """Without a directory there is nothing to do."""
    assert JobDirectory(tmp_path / "job").move_aside() is None
    assert not list(tmp_path.iterdir())


def test_the_current_directory_cannot_be_moved(tmp_path, monkeypatch):
    """A job directory without a name of its own is refused on one line, and stays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("x")
    with pytest.raises(UsageError, match=r"^[^\n]*job_dir[^\n]*$"):
        JobDirectory(Path()).move_aside()
    assert (tmp_path / "config.yaml").read_text() == "x"


def test_what_the_system_refuses_is_one_error(tmp_path, monkeypatch):
    """A rename that fails names the directory, which stays."""

    def fail(*_):
        raise OSError(5, "Input/output error")

    job = make_job(tmp_path / "job")
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputOutputError, match=r"cannot move .*job aside: Input/output error"):
        job.move_aside()
    assert job.exists
